"""Elements by index."""

from __future__ import annotations

import torch
from torch import nn

from workers.runtimes.onnx.apply import Apply, With
from workers.runtimes.onnx.dtypes import tensor_of
from workers.runtimes.onnx.limits import sized
from workers.runtimes.onnx.node import Node
from workers.runtimes.onnx.table import builds


@builds("Gather", inputs=(2, 2))
def gather(node: Node) -> nn.Module:
    """Slices along an axis. A constant table indexed by the graph is an embedding."""
    axis = node.whole("axis", 0)
    places = node.constant(1)
    if places is not None and places.ndim == 0:
        place = int(places)
        node.drop(1)
        return Apply("Gather", lambda x: x.select(axis, place))
    if places is not None and places.size and places.min() >= 0:
        node.drop(1)
        return With("Gather", tensor_of(places), lambda places, x: picked(x, places, axis))
    return Apply("Gather", lambda x, places: picked(x, positive(places, x.shape[axis]), axis))


def positive(places: torch.Tensor, size: int) -> torch.Tensor:
    """Indices from the front, those from the end included, as int64."""
    places = places.long()
    return torch.where(places < 0, places + size, places)


def picked(x: torch.Tensor, places: torch.Tensor, axis: int) -> torch.Tensor:
    """Slices of `x` at places of any shape."""
    axis = axis % x.ndim
    if places.ndim == 1:
        return x.index_select(axis, places)
    shape = (*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])
    return x.index_select(axis, places.reshape(-1)).reshape(shape)


@builds("GatherElements", inputs=(2, 2))
def gather_elements(node: Node) -> nn.Module:
    """One element per index, along an axis."""
    axis = node.whole("axis", 0)
    return Apply("GatherElements", lambda x, places: x.gather(axis, positive(places, x.shape[axis])))


@builds("GatherND", inputs=(2, 2))
def gather_nd(node: Node) -> nn.Module:
    """Slices by index tuples, after some batch axes."""
    batch = node.whole("batch_dims", 0)

    def gathered(x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        tuples = places.long().unbind(-1)
        if not batch:
            return x[tuples]
        front = torch.meshgrid(*(torch.arange(size, device=x.device) for size in x.shape[:batch]), indexing="ij")
        rest = places.ndim - 1 - batch
        return x[tuple(axis.reshape(*axis.shape, *[1] * rest) for axis in front) + tuples]

    return Apply("GatherND", gathered)


@builds("ReverseSequence", inputs=(2, 2))
def reverse_sequence(node: Node) -> nn.Module:
    """The first steps of each row in reverse, as many as its length says."""
    rows, time = node.whole("batch_axis", 1), node.whole("time_axis", 0)

    def reversed_(x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        steps = torch.arange(x.shape[time], device=x.device)
        places = torch.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
        shape = [1] * x.ndim
        shape[rows], shape[time] = x.shape[rows], x.shape[time]
        places = (places if rows < time else places.T).reshape(shape)
        return x.gather(time, places.expand(x.shape))

    return Apply("ReverseSequence", reversed_)


@builds("NonZero")
def non_zero(node: Node) -> nn.Module:
    """Places of what is not zero, [axes, found]."""
    return Apply("NonZero", lambda x: torch.nonzero(x if x.ndim else x[None]).T)


@builds("Compress", inputs=(2, 2))
def compress(node: Node) -> nn.Module:
    """Slices where a condition holds."""
    axis = node.whole("axis") if node.given("axis") else None

    def compressed(x: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        x = x.reshape(-1) if axis is None else x
        return x.index_select(axis or 0, torch.nonzero(keep)[:, 0])

    return Apply("Compress", compressed)


@builds("OneHot", inputs=(3, 3))
def one_hot(node: Node) -> nn.Module:
    """Two values: one at each index, the other elsewhere."""
    axis = node.whole("axis", -1)

    def hot(places: torch.Tensor, depth: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        count = int(depth.reshape(-1)[0])
        sized((*places.shape, count), "OneHot")
        wide = positive(places, count).unsqueeze(axis)
        shape = [1] * wide.ndim
        shape[axis] = count
        return torch.where(wide == torch.arange(count, device=places.device).reshape(shape), values[1], values[0])

    return Apply("OneHot", hot)


@builds("Unique", outputs=4)
def unique(node: Node) -> nn.Module:
    """Values once each, sorted or in the order they come; where they first are, which one each element is, how often."""
    axis = node.whole("axis") if node.given("axis") else None
    in_order = bool(node.whole("sorted", 1))

    def found(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        x = x.reshape(-1) if axis is None else x
        along = axis or 0
        _, inverse, counts = torch.unique(x, sorted=True, return_inverse=True, return_counts=True, dim=along)
        inverse = inverse.reshape(-1)
        first = torch.full_like(counts, len(inverse))
        first = first.scatter_reduce(0, inverse, torch.arange(len(inverse), device=x.device), "amin")
        if not in_order:
            order = first.argsort()
            counts, first, inverse = counts[order], first[order], order.argsort()[inverse]
        return x.index_select(along, first), first, inverse, counts  # torch.unique's own values have no gradient

    return Apply("Unique", found)


@builds("Trilu", inputs=(1, 2))
def trilu(node: Node) -> nn.Module:
    """The upper or lower triangle; the rest is zero."""
    cut = torch.triu if node.whole("upper", 1) else torch.tril
    if node.has(1) and node.constant(1) is None:
        return Apply("Trilu", lambda x, k: cut(x, int(k)))
    constant = node.absorb(1)
    diagonal = 0 if constant is None else int(constant.reshape(-1)[0])
    return Apply("Trilu", lambda x: cut(x, diagonal))
