"""Tensors made from a few numbers. Their size is bounded."""

from __future__ import annotations

import math

import torch
from torch import nn

from workers.runtimes.onnx.apply import Apply, Typed, With
from workers.runtimes.onnx.dtypes import tensor_of, torch_dtype
from workers.runtimes.onnx.limits import sized
from workers.runtimes.onnx.node import Node
from workers.runtimes.onnx.table import builds


@builds("ConstantOfShape")
def constant_of_shape(node: Node) -> nn.Module:
    """One value in a shape."""
    given = node.tensor("value")
    value = torch.zeros(1) if given is None else tensor_of(given, node.label)
    return With(
        "ConstantOfShape",
        value,
        lambda value, shape: value.reshape(()).expand(sized(shape.tolist(), "ConstantOfShape")).clone(),
    )


@builds("Range", inputs=(3, 3))
def range_(node: Node) -> nn.Module:
    """Numbers from start to limit in steps."""

    def ranged(start: torch.Tensor, limit: torch.Tensor, delta: torch.Tensor) -> torch.Tensor:
        first, last, step = (float(number) if number.is_floating_point() else int(number) for number in (start, limit, delta))
        (count,) = sized([max(math.ceil((last - first) / step), 0)], "Range")
        return (torch.arange(count, device=start.device) * step + first).to(start.dtype)

    return Apply("Range", ranged)


@builds("EyeLike")
def eye_like(node: Node) -> nn.Module:
    """A diagonal of ones in the shape of a matrix."""
    diagonal = node.whole("k", 0)
    dtype = torch_dtype(node.whole("dtype"), node.label) if node.given("dtype") else None

    def eye(x: torch.Tensor) -> torch.Tensor:
        ones = torch.ones(x.shape, dtype=dtype or x.dtype, device=x.device)
        return torch.tril(torch.triu(ones, diagonal), diagonal)

    return Apply("EyeLike", eye)


WINDOWS: dict[str, tuple[float, ...]] = {
    "HannWindow": (0.5, 0.5),
    "HammingWindow": (25 / 46, 21 / 46),
    "BlackmanWindow": (0.42, 0.5, 0.08),
}
"""Weights of the cosines, with alternating signs."""


@builds(*WINDOWS)
def window(node: Node) -> nn.Module:
    """Windows of signal processing: a sum of cosines over as many steps as the input says."""
    dtype, periodic = torch_dtype(node.whole("output_datatype", 1), node.label), node.whole("periodic", 1)

    def cosines(kind: torch.dtype, size: torch.Tensor) -> torch.Tensor:
        (steps,) = sized([int(size)], node.op)
        angle = (
            2
            * math.pi
            * torch.arange(steps, device=size.device, dtype=torch.float64)
            / max(steps if periodic else steps - 1, 1)
        )
        terms = [(-1) ** order * weight * torch.cos(order * angle) for order, weight in enumerate(WINDOWS[node.op])]
        return torch.stack(terms).sum(0).to(kind)

    return Typed(node.op, dtype, cosines)
