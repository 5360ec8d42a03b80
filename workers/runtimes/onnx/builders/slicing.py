"""Parts of tensors by position, and borders around them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # its usual name

from workers.runtimes.onnx.apply import Apply
from workers.runtimes.onnx.limits import sized
from workers.runtimes.onnx.lists import Lists, with_lists
from workers.runtimes.onnx.node import Node, scalar
from workers.runtimes.onnx.table import builds


@builds("Slice", inputs=(1, 5))
def slice_(node: Node) -> nn.Module:
    """From start to end along axes, with steps; starts and ends are inputs since opset 10."""
    if node.version >= 10:
        return with_lists(node, (1, 2, 3, 4), sliced)
    starts, ends, axes = node.wholes("starts"), node.wholes("ends"), node.wholes("axes")
    return Apply("Slice", lambda x: sliced(x, starts, ends, axes, None))


def sliced(x: torch.Tensor, starts: Lists, ends: Lists, axes: Lists, steps: Lists) -> torch.Tensor:
    """ONNX's Slice: places beyond the ends are moved to them."""
    starts, ends = starts or [], ends or []
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis = axes[number] if axes else number
        places = slice(_fit(start), _fit(end), steps[number] if steps else 1).indices(x.shape[axis])
        first, stop, step = _onnx_places(start, end, steps[number] if steps else 1, x.shape[axis], places)
        if step > 0:
            x = x[(slice(None),) * (axis % x.ndim) + (slice(first, max(stop, first), step),)]
        else:
            x = x.index_select(axis, torch.arange(first, stop, step, device=x.device) if first > stop else _nothing(x))
    return x


def _nothing(x: torch.Tensor) -> torch.Tensor:
    return torch.zeros(0, dtype=torch.int64, device=x.device)


def _fit(place: int) -> int:
    return max(-(1 << 62), min(1 << 62, place))


def _onnx_places(start: int, end: int, step: int, size: int, places: tuple[int, int, int]) -> tuple[int, int, int]:
    """Python's own places but for a negative step, where ONNX takes an end below -size as "to the very first"."""
    if step > 0:
        return places
    first = min(max(start + size if start < 0 else start, 0), size - 1)
    stop = end + size if end < 0 else end
    return first, max(min(stop, size - 1), -1), step


@builds("Pad", inputs=(1, 4))
def pad(node: Node) -> nn.Module:
    """Borders (or crops) around each axis; pads are an input since opset 11."""
    mode = node.text("mode", "constant")
    if mode not in ("constant", "reflect", "edge", "wrap"):
        node.refuse("has a mode that is not translated")
    if node.version < 11:
        pads, value = node.wholes("pads"), node.number("value", 0.0)
        return Apply("Pad", lambda x: padded(x, mode, value, pads, None))
    filling = node.constant(2) if node.has(2) else None
    if filling is not None or not node.has(2):
        node.drop(2)
        number = 0.0 if filling is None else scalar(filling)
        return with_lists(node, (1, 3), lambda x, pads, axes: padded(x, mode, number, pads, axes))
    return with_lists(node, (1, 3), lambda x, value, pads, axes: padded(x, mode, value, pads, axes))


def padded(x: torch.Tensor, mode: str, value: Any, pads: Lists, axes: Lists) -> torch.Tensor:
    """`x` with borders: pads are all beginnings, then all ends. Negative ones crop."""
    pads = pads or []
    axes = [axis % x.ndim for axis in axes] if axes is not None else list(range(x.ndim))
    around = [(0, 0)] * x.ndim
    for number, axis in enumerate(axes):
        around[axis] = (pads[number], pads[number + len(axes)])
    sized((size + low + high for size, (low, high) in zip(x.shape, around, strict=True)), "Pad")
    if mode == "constant":
        flat = [amount for pair in reversed(around) for amount in pair]
        filling: Any = value.item() if isinstance(value, torch.Tensor) else value
        if x.dtype == torch.bool:
            return F.pad(x.to(torch.uint8), flat, value=float(filling)).to(torch.bool)
        return F.pad(x, flat, value=filling)
    for axis, (low, high) in enumerate(around):
        if low or high:
            x = x.index_select(axis, border(mode, x.shape[axis], low, high).to(x.device))
    return x


def border(mode: str, size: int, low: int, high: int) -> torch.Tensor:
    """Which element is at each place of a padded axis."""
    places = torch.arange(-low, size + high)
    if mode == "edge":
        return places.clamp(0, size - 1)
    if mode == "wrap":
        return places % size
    if size == 1:
        return torch.zeros_like(places)
    places = places.abs() % (2 * (size - 1))
    return torch.where(places >= size, 2 * (size - 1) - places, places)
