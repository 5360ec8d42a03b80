"""Comparisons, logic and bits: their answers have no gradient; Where passes one on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from workers.runtimes.onnx.apply import Apply
from workers.runtimes.onnx.node import Node
from workers.runtimes.onnx.table import builds

COMPARISONS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "Equal": torch.eq,
    "Greater": torch.gt,
    "GreaterOrEqual": torch.ge,
    "Less": torch.lt,
    "LessOrEqual": torch.le,
    "And": torch.logical_and,
    "Or": torch.logical_or,
    "Xor": torch.logical_xor,
    "BitwiseAnd": torch.bitwise_and,
    "BitwiseOr": torch.bitwise_or,
    "BitwiseXor": torch.bitwise_xor,
}


@builds(*COMPARISONS, inputs=(2, 2))
def comparison(node: Node) -> nn.Module:
    """Two tensors, element by element."""
    return Apply(node.op, COMPARISONS[node.op])


@builds("Not", "IsNaN")
def predicate(node: Node) -> nn.Module:
    """A truth about each element."""
    return Apply(node.op, {"Not": torch.logical_not, "IsNaN": torch.isnan}[node.op])


@builds("IsInf")
def is_inf(node: Node) -> nn.Module:
    """Infinities, of one sign where asked."""
    positive, negative = node.whole("detect_positive", 1), node.whole("detect_negative", 1)

    def found(x: torch.Tensor) -> torch.Tensor:
        infinite = torch.zeros_like(x, dtype=torch.bool)
        if positive:
            infinite = infinite | torch.isposinf(x)
        if negative:
            infinite = infinite | torch.isneginf(x)
        return infinite

    return Apply("IsInf", found)


@builds("Where", inputs=(3, 3))
def where(node: Node) -> nn.Module:
    """One tensor where a condition holds, else the other."""
    return Apply("Where", torch.where)


@builds("BitShift", inputs=(2, 2))
def bit_shift(node: Node) -> nn.Module:
    """Bytes to the left or right (wider unsigned numbers lose their width here: see dtypes)."""
    left = node.text("direction") == "LEFT"
    return Apply("BitShift", torch.bitwise_left_shift if left else torch.bitwise_right_shift)


@builds("BitwiseNot")
def bitwise_not(node: Node) -> nn.Module:
    """Every bit turned."""
    return Apply("BitwiseNot", torch.bitwise_not)
