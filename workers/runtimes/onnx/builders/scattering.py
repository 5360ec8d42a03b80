"""Values written at indices."""

from __future__ import annotations

import torch
from torch import nn

from workers.runtimes.onnx.apply import Apply
from workers.runtimes.onnx.builders.indexing import positive
from workers.runtimes.onnx.node import Node
from workers.runtimes.onnx.table import builds

REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def _reduction(node: Node) -> str | None:
    name = node.text("reduction", "none") if node.given("reduction") else "none"
    if name != "none" and name not in REDUCTIONS:
        node.refuse("has a reduction that is not translated")
    return REDUCTIONS.get(name)


@builds("ScatterElements", "Scatter", inputs=(3, 3))
def scatter_elements(node: Node) -> nn.Module:
    """One element per index, along an axis."""
    axis, reduction = node.whole("axis", 0), _reduction(node)

    def scattered(x: torch.Tensor, places: torch.Tensor, updates: torch.Tensor) -> torch.Tensor:
        places = positive(places, x.shape[axis])
        if reduction is None:
            return x.scatter(axis, places, updates)
        return x.scatter_reduce(axis, places, updates, reduction)

    return Apply(node.op, scattered)


@builds("ScatterND", inputs=(3, 3))
def scatter_nd(node: Node) -> nn.Module:
    """Slices by index tuples."""
    reduction = _reduction(node)

    def scattered(x: torch.Tensor, places: torch.Tensor, updates: torch.Tensor) -> torch.Tensor:
        depth = places.shape[-1]
        flat = x.reshape(-1, *x.shape[depth:])
        rows = torch.zeros(places.shape[:-1], dtype=torch.int64, device=x.device)
        for axis in range(depth):
            rows = rows * x.shape[axis] + positive(places[..., axis], x.shape[axis])
        updates = updates.reshape(-1, *x.shape[depth:])
        if reduction is None:
            answer = flat.index_copy(0, rows.reshape(-1), updates)
        elif reduction == "sum":
            answer = flat.index_add(0, rows.reshape(-1), updates)
        else:
            wide = rows.reshape(-1, *[1] * (updates.ndim - 1)).expand_as(updates)
            answer = flat.scatter_reduce(0, wide, updates, reduction)
        return answer.reshape(x.shape)

    return Apply("ScatterND", scattered)
