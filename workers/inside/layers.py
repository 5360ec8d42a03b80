"""Which layers a computation has, found by calling it: their order, shapes, and where the rows are in what they put out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from explainery.contract.layers import LayerSpec
from workers.inside.attention import Attention
from workers.inside.net import Net, Part

MOST_LAYERS = 2000
CLOSE = 1e-3
"""Largest relative difference of a row's output alone and in company."""
CONVOLUTIONS = ("Conv", "FusedConv", "ConvTranspose")


@dataclass(frozen=True)
class Rows:
    """Where the rows are in a tensor: along `axis`, each taking `repeats` consecutive entries (the windows of a picture)."""

    axis: int
    repeats: int

    def first(self, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor with its rows in front, [rows, *row]: a view where it can be."""
        moved = tensor.movedim(self.axis, 0)
        return moved if self.repeats == 1 else moved.reshape(len(moved) // self.repeats, self.repeats, *moved.shape[1:])

    def back(self, tensor: torch.Tensor) -> torch.Tensor:
        """The inverse of `first`."""
        flat = tensor if self.repeats == 1 else tensor.reshape(len(tensor) * self.repeats, *tensor.shape[2:])
        return flat.movedim(0, self.axis)


@dataclass(frozen=True)
class Layer:
    """One layer: what is published of it, and where its rows are; `attention`: the same for its attention weights."""

    spec: LayerSpec
    rows: Rows
    attention: Rows | None = None


@dataclass
class _Seen:
    """What a pass has shown of one tensor: its shape, and two sums of its first row for each place the rows may be in."""

    shape: tuple[int, ...]
    tensor_type: torch.dtype
    sums: dict[Rows, tuple[float, float]]


def discover(
    net: Net, inputs: Callable[[int], Mapping[str, torch.Tensor]], batch: int | None, picture: bool
) -> dict[str, Layer]:
    """The layers by name, in the order in which they put out their results; what is not one row's own is left out.

    `inputs`: that many different rows. `batch`: the only number of rows the computation takes, or None. `picture`: whether
    an input is one, so that tokens may be a grid.
    """
    few, many = (1, 2) if batch is None else (batch, batch)
    one, one_weights = _looked(net, inputs(few), few)
    two, two_weights = _looked(net, inputs(many), many)
    calls = Counter(name.rpartition("#")[0] for name in two)
    parts = net.parts()
    found: dict[str, Layer] = {}
    for name, seen in two.items():
        path = name.rpartition("#")[0]
        rows = _place(one.get(name), seen, few, many)
        if rows is None or len(found) >= MOST_LAYERS:
            continue
        weights = _place(one_weights.get(name), two_weights[name], few, many) if name in two_weights else None
        shape = _row_shape(seen.shape, rows, many)
        of_attention = _row_shape(two_weights[name].shape, weights, many) if weights else None
        label = name if calls[path] > 1 else path
        spec = _described(label, parts.get(path, Part("", 0)), shape, of_attention, picture)
        found[label] = Layer(spec, rows, weights)
    return found


def _looked(net: Net, inputs: Mapping[str, torch.Tensor], rows: int) -> tuple[dict[str, _Seen], dict[str, _Seen]]:
    outputs: dict[str, _Seen] = {}
    weights: dict[str, _Seen] = {}

    def listen(name: str, tensor: torch.Tensor) -> torch.Tensor:
        outputs[name] = _summed(tensor, rows)
        return tensor

    def heard(name: str, tensor: torch.Tensor) -> torch.Tensor:
        weights[name] = _summed(tensor, rows)
        return tensor

    with torch.no_grad():
        net.run(inputs, listen, lambda where: Attention(where, heard), located=True)
    return outputs, weights


def _summed(tensor: torch.Tensor, rows: int) -> _Seen:
    sums: dict[Rows, tuple[float, float]] = {}
    for axis, size in enumerate(tensor.shape):
        if size and size % rows == 0:
            place = Rows(axis, size // rows)
            first = place.first(tensor)[0].double()
            sums[place] = (float(first.sum()), float(first.square().sum()))
    return _Seen(tuple(tensor.shape), tensor.dtype, sums)


def _place(one: _Seen | None, two: _Seen, few: int, many: int) -> Rows | None:
    """Where the rows are: along the axis that grew with their number, or the first one where that number is fixed.

    None when no axis did, or when the first row is not the same in other company.
    """
    if one is None or len(one.shape) != len(two.shape):
        return None
    if few == many:
        return next((place for place in two.sums if place.axis == 0), None)
    grown = [axis for axis, (a, b) in enumerate(zip(one.shape, two.shape, strict=True)) if a * many == b * few and a != b]
    if len(grown) != 1 or any(a != b for axis, (a, b) in enumerate(zip(one.shape, two.shape, strict=True)) if axis != grown[0]):
        return None
    for place, sums in two.sums.items():
        if place.axis == grown[0] and place in one.sums and all(map(_close, sums, one.sums[place])):
            return place
    return None


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=CLOSE, abs_tol=CLOSE)


def _row_shape(shape: Sequence[int], place: Rows, rows: int) -> tuple[int, ...]:
    rest = (*shape[: place.axis], *shape[place.axis + 1 :])
    return rest if place.repeats == 1 else (place.repeats, *rest)


def _described(name: str, part: Part, shape: tuple[int, ...], attention: tuple[int, ...] | None, picture: bool) -> LayerSpec:
    convolution = part.type.startswith(CONVOLUTIONS)
    grid, channel_axis, before = map_of(shape, picture)
    return LayerSpec(
        path=name, type=part.type, shape=shape, parameters=part.parameters, grid=grid, channel_axis=channel_axis,
        tokens_before=before, attention=attention, convolution=convolution and grid is not None,
    )  # fmt: skip


def map_of(shape: tuple[int, ...], picture: bool) -> tuple[tuple[int, int] | None, int, int]:
    """The grid of a layer's map, its channel axis, and how many class tokens come before: found from the shape of one row.

    [channels, rows, columns] is a map with more than one place; [tokens, channels] is one where the input is a picture and the
    tokens, without up to two class tokens, fill a square.
    """
    if len(shape) == 3 and shape[1] * shape[2] > 1 and picture:
        return (shape[1], shape[2]), 0, 0
    if len(shape) == 2 and picture:
        for before in (0, 1, 2):
            side = math.isqrt(max(0, shape[0] - before))
            if side > 1 and side * side + before == shape[0]:
                return (side, side), 1, before
    return None, 0, 0
