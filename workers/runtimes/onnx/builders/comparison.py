"""Comparisons, logic and bits: their answers have no gradient; Where passes one on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from onnx import TensorProto
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
    """To the left or right, within the width of the type."""
    if node.text("direction") != "LEFT":
        return Apply("BitShift", torch.bitwise_right_shift)
    if node.kind(0) in SIGNED:
        return Apply("BitShift", torch.bitwise_left_shift)
    mask = _mask(node)
    return Apply("BitShift", lambda x, bits: torch.bitwise_left_shift(x, bits) & mask)


@builds("BitwiseNot")
def bitwise_not(node: Node) -> nn.Module:
    """Every bit turned, within the width of the type."""
    if node.kind(0) in SIGNED:
        return Apply("BitwiseNot", torch.bitwise_not)
    mask = _mask(node)
    return Apply("BitwiseNot", lambda x: torch.bitwise_not(x) & mask)


SIGNED = (TensorProto.BOOL, TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64)
MASKS = {TensorProto.UINT8: 0xFF, TensorProto.UINT16: 0xFFFF, TensorProto.UINT32: 0xFFFFFFFF}


def _mask(node: Node) -> int:
    """The bits of an unsigned type, which is kept in a wider one. Refuses where the file does not state the type."""
    kind = node.kind(0)
    if kind == TensorProto.UINT64:
        return -1
    if kind not in MASKS:
        node.refuse("of a type that the file does not state is not translated")
    return MASKS[kind]  # type: ignore[index]
