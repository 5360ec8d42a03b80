"""Changes of type. Gradients flow through changes between floats."""

from __future__ import annotations

import torch
from onnx import TensorProto
from torch import nn

from workers.runtimes.onnx.apply import Apply, Typed
from workers.runtimes.onnx.dtypes import BITS, torch_dtype
from workers.runtimes.onnx.node import Node
from workers.runtimes.onnx.table import builds

WIDTHS = {TensorProto.UINT16: 0xFFFF, TensorProto.UINT32: 0xFFFFFFFF}
"""Unsigned types that are kept as int64: the bits that a cast to them leaves."""


FLOAT8 = (torch.float8_e4m3fn, torch.float8_e4m3fnuz, torch.float8_e5m2, torch.float8_e5m2fnuz)


@builds("Cast")
def cast(node: Node) -> nn.Module:
    """To the type of the attribute `to`."""
    return _to(node, node.whole("to"))


@builds("CastLike", inputs=(2, 2))
def cast_like(node: Node) -> nn.Module:
    """To the other tensor's type: the one that the file states, else the one it has when the graph runs."""
    kind = node.kind(1)
    if kind is None:
        node.ignore("saturate", "round_mode")
        return Apply("CastLike", lambda x, like: x.to(like.dtype))
    node.drop(1)
    return _to(node, kind)


def _to(node: Node, to: int) -> nn.Module:
    node.ignore("round_mode")  # it speaks of FLOAT8E8M0 only, which is refused
    saturate, dtype = bool(node.whole("saturate", 1)), torch_dtype(to, node.label)
    mask, bits = WIDTHS.get(to), BITS.get(to)  # type: ignore[call-overload]
    if mask is not None:
        return Apply(node.op, lambda x: x.to(torch.int64) & mask)
    if bits is not None:
        return Apply(node.op, lambda x: narrowed(x, bits, dtype))
    if dtype == torch.float8_e4m3fn and not saturate:
        node.refuse("to FLOAT8E4M3FN without saturation is not translated")
    if dtype in FLOAT8 and saturate:
        edge = torch.finfo(dtype).max
        return Typed(node.op, dtype, lambda dtype, x: x.float().clamp(-edge, edge).to(dtype))
    return Typed(node.op, dtype, lambda dtype, x: x.to(dtype))


def narrowed(x: torch.Tensor, bits: int, dtype: torch.dtype) -> torch.Tensor:
    """Whole numbers of so few bits, towards zero; what is beyond them wraps around."""
    low = 0 if dtype == torch.uint8 else 1 << (bits - 1)
    return (((x.to(torch.int64) + low) & ((1 << bits) - 1)) - low).to(dtype)


@builds("BitCast")
def bit_cast(node: Node) -> nn.Module:
    """The same bits as another type; no gradient."""
    dtype = torch_dtype(node.whole("to"), node.label)
    wide = (TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64)
    if node.whole("to") in wide or node.kind(0) in wide or node.kind(0) is None:
        node.refuse("of wide unsigned or unstated types is not translated")
    return Apply("BitCast", lambda x: x.detach().view(dtype))
