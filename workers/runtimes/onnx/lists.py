"""Inputs that are lists of integers (shapes, axes, pads): read once when constant, else read from the tensor at each call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from workers.runtimes.onnx.apply import Apply
from workers.runtimes.onnx.node import Node

Lists = list[int] | None


def with_lists(node: Node, indexes: tuple[int, ...], function: Callable[..., Any]) -> nn.Module:
    """A module that calls `function(*tensors, *lists)`, a list (or None where left out) for each of the input indexes."""
    known: dict[int, Lists] = {}
    for index in indexes:
        value = node.absorb(index)
        if value is not None or not node.has(index):
            known[index] = None if value is None else [int(number) for number in value.reshape(-1)]
    fixed = [known.get(index) for index in indexes]
    if len(known) == len(indexes):
        return Apply(node.op, lambda *tensors: function(*tensors, *fixed))
    positions = [index for index in range(len(node.inputs)) if index not in node.absorbed]

    def call(*inputs: Any) -> Any:
        given = dict(zip(positions, inputs, strict=True))
        tensors = [given[index] for index in positions if index not in indexes]
        lists = [known[index] if index in known else given[index].reshape(-1).tolist() for index in indexes]
        return function(*tensors, *lists)

    return Apply(node.op, call)


def axes_module(node: Node, since: int, function: Callable[..., Any], index: int = 1) -> nn.Module:
    """Like `with_lists` for axes that are an attribute before opset `since` and an input from then on."""
    if node.version >= since:
        return with_lists(node, (index,), function)
    axes = node.wholes("axes")
    return Apply(node.op, lambda *tensors: function(*tensors, axes))
