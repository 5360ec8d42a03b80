"""The same elements in another shape or order."""

from __future__ import annotations

import torch
from torch import nn

from workers.runtimes.onnx.apply import Apply
from workers.runtimes.onnx.limits import sized
from workers.runtimes.onnx.lists import Lists, axes_module, with_lists
from workers.runtimes.onnx.node import Node
from workers.runtimes.onnx.table import builds


@builds("Reshape", inputs=(2, 2))
def reshape(node: Node) -> nn.Module:
    """A new shape: 0 keeps the axis's size (unless `allowzero`), -1 is what remains."""
    zero = bool(node.whole("allowzero", 0))

    def reshaped(x: torch.Tensor, shape: Lists) -> torch.Tensor:
        sizes = [x.shape[axis] if size == 0 and not zero else size for axis, size in enumerate(shape or [])]
        return x.reshape(sizes)

    return with_lists(node, (1,), reshaped)


@builds("Flatten")
def flatten(node: Node) -> nn.Module:
    """Two axes: all before `axis`, and all from it on."""
    axis = node.whole("axis", 1)
    if axis == 1:
        return Apply("Flatten", lambda x: x.flatten(1) if x.ndim > 1 else x.reshape(-1, 1))

    def flat(x: torch.Tensor) -> torch.Tensor:
        rows = 1
        for size in x.shape[:axis] if axis >= 0 else x.shape[: x.ndim + axis]:
            rows *= size
        return x.reshape(rows, -1 if x.numel() else x.numel() // max(rows, 1))

    return Apply("Flatten", flat)


@builds("Squeeze", inputs=(1, 2))
def squeeze(node: Node) -> nn.Module:
    """Without some axes of size one, or without all; axes are an input since opset 13."""

    def squeezed(x: torch.Tensor, axes: Lists) -> torch.Tensor:
        return x.squeeze() if axes is None else x.squeeze(tuple(axes))

    return axes_module(node, 13, squeezed)


@builds("Unsqueeze", inputs=(1, 2))
def unsqueeze(node: Node) -> nn.Module:
    """With new axes of size one; axes are an input since opset 13."""

    def unsqueezed(x: torch.Tensor, axes: Lists) -> torch.Tensor:
        rank = x.ndim + len(axes or [])
        for axis in sorted(axis % rank for axis in axes or []):
            x = x.unsqueeze(axis)
        return x

    return axes_module(node, 13, unsqueezed)


@builds("Transpose")
def transpose(node: Node) -> nn.Module:
    """Axes in another order, reversed where none is given."""
    order = node.wholes("perm")
    return Apply("Transpose", lambda x: x.permute(order if order is not None else tuple(range(x.ndim))[::-1]))


@builds("Concat", inputs=(1, None))
def concat(node: Node) -> nn.Module:
    """Tensors one after the other along an axis."""
    axis = node.whole("axis")
    return Apply("Concat", lambda *tensors: torch.cat(tensors, axis))


@builds("Split", inputs=(1, 2), outputs=None)
def split(node: Node) -> nn.Module:
    """Parts along an axis, of given sizes (an input since opset 13) or equal ones (the last may be smaller, since 18)."""
    axis, count = node.whole("axis", 0), len(node.outputs)
    if node.version >= 18 and node.given("num_outputs"):
        count = node.whole("num_outputs")

    def parts(x: torch.Tensor, sizes: Lists) -> tuple[torch.Tensor, ...]:
        if sizes is None:
            each = -(-x.shape[axis] // count)
            sizes = [min(each, max(x.shape[axis] - each * number, 0)) for number in range(count)]
        return torch.split(x, sizes, axis)

    if node.version >= 13:
        return with_lists(node, (1,), parts)
    given = node.wholes("split")
    return Apply("Split", lambda x: parts(x, given))


@builds("Expand", inputs=(2, 2))
def expand(node: Node) -> nn.Module:
    """Broadcast with a shape."""

    def expanded(x: torch.Tensor, shape: Lists) -> torch.Tensor:
        return x.expand(sized(torch.broadcast_shapes(x.shape, shape or []), "Expand"))  # type: ignore[no-untyped-call]

    return with_lists(node, (1,), expanded)


@builds("Tile", inputs=(2, 2))
def tile(node: Node) -> nn.Module:
    """Repeated along each axis."""

    def tiled(x: torch.Tensor, repeats: Lists) -> torch.Tensor:
        sized((size * times for size, times in zip(x.shape, repeats or [], strict=True)), "Tile")
        return x.repeat(repeats or [])

    return with_lists(node, (1,), tiled)


@builds("DepthToSpace")
def depth_to_space(node: Node) -> nn.Module:
    """Channels to pixels; two orders of the channels."""
    size, mode = node.whole("blocksize"), node.text("mode", "DCR")
    if mode == "CRD":
        return nn.PixelShuffle(size)
    if mode != "DCR":
        node.refuse("has a mode that is not translated")

    def spread(x: torch.Tensor) -> torch.Tensor:
        rows, channels, height, width = x.shape
        x = x.reshape(rows, size, size, channels // size**2, height, width).permute(0, 3, 4, 1, 5, 2)
        return x.reshape(rows, channels // size**2, height * size, width * size)

    return Apply("DepthToSpace", spread)


@builds("SpaceToDepth")
def space_to_depth(node: Node) -> nn.Module:
    """Pixels to channels."""
    size, mode = node.whole("blocksize"), node.text("mode", "DCR") if node.given("mode") else "DCR"
    if mode not in ("DCR", "CRD"):
        node.refuse("has a mode that is not translated")

    def gathered(x: torch.Tensor) -> torch.Tensor:
        rows, channels, height, width = x.shape
        x = x.reshape(rows, channels, height // size, size, width // size, size)
        x = x.permute(0, 3, 5, 1, 2, 4) if mode == "DCR" else x.permute(0, 1, 3, 5, 2, 4)
        return x.reshape(rows, channels * size**2, height // size, width // size)

    return Apply("SpaceToDepth", gathered)


@builds("Shape")
def shape_of(node: Node) -> nn.Module:
    """The shape, or a part of it, as int64."""
    start = node.whole("start", 0)
    end = node.whole("end") if node.given("end") else None
    return Apply(
        "Shape",
        lambda x: torch.tensor(
            list(x.shape)[_clamped(start, x.ndim) : _clamped(end, x.ndim)], device=x.device, dtype=torch.int64
        ),
    )


def _clamped(place: int | None, rank: int) -> int | None:
    return None if place is None else max(0, min(rank, place + rank if place < 0 else place))


@builds("Size")
def size_of(node: Node) -> nn.Module:
    """The number of elements as int64."""
    return Apply("Size", lambda x: torch.tensor(x.numel(), device=x.device))
