"""Sums and the like over axes, places of extremes, running sums."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from workers.runtimes.onnx.apply import Apply
from workers.runtimes.onnx.lists import Lists, axes_module, with_lists
from workers.runtimes.onnx.node import Node
from workers.runtimes.onnx.table import builds

Reduce = Callable[[torch.Tensor, list[int], bool], torch.Tensor]


def _sum(x: torch.Tensor, axes: list[int], keep: bool) -> torch.Tensor:
    return x.sum(axes, keepdim=keep, dtype=x.dtype)


def _mean(x: torch.Tensor, axes: list[int], keep: bool) -> torch.Tensor:
    if x.is_floating_point():
        return x.mean(axes, keepdim=keep)
    return x.double().mean(axes, keepdim=keep).to(x.dtype)


def _extreme(reduce: Callable[..., torch.Tensor]) -> Reduce:
    def extreme(x: torch.Tensor, axes: list[int], keep: bool) -> torch.Tensor:
        if x.dtype == torch.bool:
            return extreme(x.to(torch.uint8), axes, keep).to(torch.bool)
        if any(x.shape[axis] == 0 for axis in axes):
            lowest = torch.finfo(x.dtype).min if x.is_floating_point() else torch.iinfo(x.dtype).min
            highest = torch.finfo(x.dtype).max if x.is_floating_point() else torch.iinfo(x.dtype).max
            edge = (-torch.inf, torch.inf) if x.is_floating_point() else (lowest, highest)
            shape = [1 if axis in [a % x.ndim for a in axes] else size for axis, size in enumerate(x.shape)]
            empty = x.new_full(shape, edge[0] if reduce is torch.amax else edge[1])
            return empty if keep else empty.squeeze(tuple(axes))
        return reduce(x, axes, keepdim=keep)

    return extreme


def _product(x: torch.Tensor, axes: list[int], keep: bool) -> torch.Tensor:
    for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
        x = x.prod(axis, keepdim=keep, dtype=x.dtype)
    return x


REDUCTIONS: dict[str, Reduce] = {
    "ReduceSum": _sum,
    "ReduceMean": _mean,
    "ReduceMax": _extreme(torch.amax),
    "ReduceMin": _extreme(torch.amin),
    "ReduceProd": _product,
    "ReduceL1": lambda x, axes, keep: _sum(x.abs(), axes, keep),
    "ReduceL2": lambda x, axes, keep: _sum(x * x, axes, keep).sqrt().to(x.dtype),
    "ReduceSumSquare": lambda x, axes, keep: _sum(x * x, axes, keep),
    "ReduceLogSum": lambda x, axes, keep: _sum(x, axes, keep).log().to(x.dtype),
    "ReduceLogSumExp": lambda x, axes, keep: torch.logsumexp(x, axes, keepdim=keep),
}


@builds(*REDUCTIONS, inputs=(1, 2))
def reduction(node: Node) -> nn.Module:
    """Over the axes given, or over all; axes are an input since opset 18 (of ReduceSum since 13)."""
    reduce, keep = REDUCTIONS[node.op], bool(node.whole("keepdims", 1))
    since = 13 if node.op == "ReduceSum" else 18
    nothing = bool(node.whole("noop_with_empty_axes", 0)) if node.version >= since else False
    pointwise = {"ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"}

    def reduced(x: torch.Tensor, axes: Lists) -> torch.Tensor:
        if not axes and nothing:
            # over no axis at all: the pointwise part of the function remains
            return reduce(x[None], [0], False) if node.op in pointwise else x
        if x.ndim == 0:
            return reduce(x[None], [0], False)
        return reduce(x, list(axes or range(x.ndim)), keep)

    return axes_module(node, since, reduced)


@builds("ArgMax", "ArgMin")
def place_of_extreme(node: Node) -> nn.Module:
    """Where the largest or smallest element is: the first, or the last where asked."""
    axis, keep, last = node.whole("axis", 0), bool(node.whole("keepdims", 1)), bool(node.whole("select_last_index", 0))
    find = torch.argmax if node.op == "ArgMax" else torch.argmin

    def place(x: torch.Tensor) -> torch.Tensor:
        if last:
            return x.shape[axis] - 1 - find(x.flip(axis), axis, keepdim=keep)
        return find(x, axis, keepdim=keep)

    return Apply(node.op, place)


@builds("CumSum", "CumProd", inputs=(2, 2))
def running(node: Node) -> nn.Module:
    """Running sums or products along an axis, from either end, with or without the element itself."""
    exclusive, reverse = bool(node.whole("exclusive", 0)), bool(node.whole("reverse", 0))
    run, neutral = (torch.cumsum, 0) if node.op == "CumSum" else (torch.cumprod, 1)

    def total(x: torch.Tensor, axes: Lists) -> torch.Tensor:
        axis = (axes or [0])[0]
        x = x.flip(axis) if reverse else x
        if exclusive:
            first = torch.full_like(x.narrow(axis, 0, 1), neutral)
            x = torch.cat([first, x.narrow(axis, 0, x.shape[axis] - 1)], axis)
        x = run(x, axis, dtype=x.dtype)
        return x.flip(axis) if reverse else x

    return with_lists(node, (1,), total)


@builds("TopK", inputs=(1, 2), outputs=2)
def top_k(node: Node) -> nn.Module:
    """The k largest or smallest and their places; `k` is an input since opset 10. Equal elements: the first ones."""
    axis = node.whole("axis", -1)
    node.ignore("sorted")  # sorted answers are right where any order is allowed
    largest = bool(node.whole("largest", 1)) if node.version >= 11 else True

    def top(x: torch.Tensor, k: Lists) -> tuple[torch.Tensor, torch.Tensor]:
        values, places = torch.sort(x, dim=axis, descending=largest, stable=True)
        count = (k or [0])[0]
        return values.narrow(axis, 0, count), places.narrow(axis, 0, count)

    if node.version < 10:
        count = [node.whole("k")]
        return Apply("TopK", lambda x: top(x, count))
    return with_lists(node, (1,), top)
