"""Pools, as torch's own modules where pads allow."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # its usual name

from workers.runtimes.onnx.apply import Apply
from workers.runtimes.onnx.builders.convolution import Bordered
from workers.runtimes.onnx.node import Node
from workers.runtimes.onnx.table import builds
from workers.runtimes.onnx.windows import Window, flat, window_of

MAX: dict[int, type[Any]] = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
MAX_FUNCTIONS: dict[int, Any] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
MEAN: dict[int, type[Any]] = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}


def _window(node: Node) -> tuple[Window, bool]:
    kernel = node.wholes("kernel_shape")
    if not kernel:
        node.refuse("lacks its attribute kernel_shape")
    window = window_of(node, kernel)
    if window.pads is None and set(window.dilations) != {1}:
        node.refuse("with auto_pad SAME and dilations is not translated: ONNX Runtime leaves the dilations out")
    return window, bool(node.whole("ceil_mode", 0))


class GlobalAverage(nn.AdaptiveAvgPool2d):
    """The mean over all spatial axes, however many; a module of torch's own type, which rule-based methods know."""

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The mean, spatial axes kept with size one."""
        return super().forward(x) if x.ndim == 4 else x.mean(tuple(range(2, x.ndim)), keepdim=True)


class GlobalMaximum(nn.AdaptiveMaxPool2d):
    """The maximum over all spatial axes, however many."""

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The maximum, spatial axes kept with size one."""
        if x.ndim == 4:
            answer: torch.Tensor = super().forward(x)
            return answer
        return x.flatten(2).max(-1).values.reshape(*x.shape[:2], *[1] * (x.ndim - 2))


@builds("GlobalAveragePool", "GlobalMaxPool")
def global_pool(node: Node) -> nn.Module:
    """Over all spatial axes."""
    return GlobalAverage() if node.op == "GlobalAveragePool" else GlobalMaximum()


@builds("GlobalLpPool")
def global_lp(node: Node) -> nn.Module:
    """The p-norm over all spatial axes."""
    p = node.whole("p", 2)
    return Apply("GlobalLpPool", lambda x: x.abs().pow(p).sum(tuple(range(2, x.ndim)), keepdim=True).pow(1 / p))


@builds("MaxPool", outputs=2)
def max_pool(node: Node) -> nn.Module:
    """The maximum in each window, and its place in the whole tensor where asked."""
    window, ceil = _window(node)
    columns_first = bool(node.whole("storage_order", 0))
    if node.wants(1):
        return Apply("MaxPool", lambda x: _with_places(x, window, ceil, columns_first))
    pads = window.symmetric
    if pads is not None and all(2 * pad <= size for pad, size in zip(pads, window.kernel, strict=True)):
        made: nn.Module = MAX[len(window.kernel)](window.kernel, window.strides, pads, window.dilations, ceil_mode=ceil)
        return made
    if ceil:
        return Apply("MaxPool", lambda x: _with_places(x, window, ceil, columns_first)[0])
    return Bordered(window, -math.inf, MAX[len(window.kernel)](window.kernel, window.strides, 0, window.dilations))


def _room(size: int, low: int, high: int, extent: int, stride: int, ceil: bool) -> int:
    """How much must be added after the last pad, so that every window of ceil mode fits."""
    if not ceil:
        return 0
    count = -(-(size + low + high - extent) // stride) + 1
    if (count - 1) * stride >= size + low:  # a window may not begin in the last pad
        count -= 1
    return max((count - 1) * stride + extent - (size + low + high), 0)


def _rooms(window: Window, shape: Any, ceil: bool) -> tuple[tuple[int, int], ...]:
    pads = window.pads_for(shape)
    return tuple(
        (low, high + _room(size, low, high, extent, stride, ceil))
        for size, (low, high), extent, stride in zip(shape, pads, window.extents(), window.strides, strict=True)
    )


def _with_places(x: torch.Tensor, window: Window, ceil: bool, columns_first: bool) -> tuple[torch.Tensor, torch.Tensor]:
    pads = _rooms(window, x.shape[2:], ceil)
    lowest = -math.inf if x.is_floating_point() else torch.iinfo(x.dtype).min
    padded = F.pad(x, flat(pads), value=lowest)
    wide = padded if padded.is_floating_point() else padded.double()
    values, places = MAX_FUNCTIONS[len(window.kernel)](
        wide, window.kernel, window.strides, 0, window.dilations, return_indices=True
    )
    flat_place, coordinates = places, []
    for axis in reversed(range(len(pads))):
        coordinates.append(flat_place % padded.shape[2 + axis] - pads[axis][0])
        flat_place = flat_place // padded.shape[2 + axis]
    spatial = coordinates if columns_first else list(reversed(coordinates))
    sizes = list(reversed(x.shape[2:])) if columns_first else list(x.shape[2:])
    place = torch.arange(x.shape[0] * x.shape[1], device=x.device).reshape(x.shape[0], x.shape[1], *[1] * len(pads))
    for coordinate, size in zip(spatial, sizes, strict=True):
        place = place * size + coordinate
    return values.to(x.dtype), place


@builds("AveragePool")
def average_pool(node: Node) -> nn.Module:
    """The mean of each window, with or without the pads counted."""
    window, ceil = _window(node)
    counted = bool(node.whole("count_include_pad", 0))
    pads = window.symmetric
    plain = pads is not None and all(2 * pad <= size for pad, size in zip(pads, window.kernel, strict=True))
    if plain and set(window.dilations) == {1}:
        made: nn.Module = MEAN[len(window.kernel)](window.kernel, window.strides, pads, ceil, counted)
        return made
    return Apply("AveragePool", lambda x: _sums(x, window, ceil) / _counts(x, window, ceil, counted))


def _sums(
    x: torch.Tensor, window: Window, ceil: bool, power: Callable[[torch.Tensor], torch.Tensor] | None = None
) -> torch.Tensor:
    """The sum of each window, by a convolution with ones per channel."""
    x = x if power is None else power(x)
    padded = F.pad(x, flat(_rooms(window, x.shape[2:], ceil)))
    ones = torch.ones(1, 1, *window.kernel, dtype=x.dtype, device=x.device)
    rows = padded.reshape(-1, 1, *padded.shape[2:])
    conv: Any = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[len(window.kernel)]
    sums = conv(rows, ones, None, window.strides, 0, window.dilations)
    answer: torch.Tensor = sums.reshape(*x.shape[:2], *sums.shape[2:])
    return answer


def _counts(x: torch.Tensor, window: Window, ceil: bool, counted: bool) -> torch.Tensor:
    ones = torch.ones(1, 1, *x.shape[2:], dtype=x.dtype, device=x.device)
    if not counted:
        return _sums(ones, window, ceil)
    pads = window.pads_for(x.shape[2:])
    inner = F.pad(ones, flat(pads), value=1.0)
    rooms = _rooms(window, x.shape[2:], ceil)
    beyond = tuple((0, room[1] - pad[1]) for room, pad in zip(rooms, pads, strict=True))
    without = Window(window.kernel, window.strides, window.dilations, beyond)
    return _sums(inner, without, False)


@builds("LpPool")
def lp_pool(node: Node) -> nn.Module:
    """The p-norm of each window."""
    window, ceil = _window(node)
    if window.pads is None:
        node.refuse("with auto_pad SAME is not translated: ONNX Runtime moves windows that are smaller than their stride")
    p = node.whole("p", 2)
    return Apply("LpPool", lambda x: _sums(x, window, ceil, lambda x: x.abs().pow(p)).pow(1 / p))


@builds("MaxUnpool", inputs=(2, 3))
def max_unpool(node: Node) -> nn.Module:
    """Values back at the places that a MaxPool found."""
    window, _ = _window(node)

    def unpooled(x: torch.Tensor, places: torch.Tensor, shape: torch.Tensor | None = None) -> torch.Tensor:
        pads = window.pads_for(x.shape[2:])
        inferred = [
            (size - 1) * stride + extent - sum(pad)
            for size, stride, extent, pad in zip(x.shape[2:], window.strides, window.extents(), pads, strict=True)
        ]
        inner = [*x.shape[:2], *inferred]
        empty = torch.zeros(math.prod(inner), dtype=x.dtype, device=x.device)
        filled = empty.scatter(0, places.reshape(-1), x.reshape(-1)).reshape(inner)
        if shape is None:
            return filled
        wanted = [int(size) for size in shape.tolist()][2:]
        return F.pad(filled, flat(tuple((0, size - have) for size, have in zip(wanted, inferred, strict=True))))

    return Apply("MaxUnpool", unpooled)
