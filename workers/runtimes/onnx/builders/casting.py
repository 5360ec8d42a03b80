"""Changes of type. Gradients flow through changes between floats."""

from __future__ import annotations

import torch
from onnx import TensorProto
from torch import nn

from workers.runtimes.onnx.apply import Apply, Typed
from workers.runtimes.onnx.dtypes import torch_dtype
from workers.runtimes.onnx.node import Node
from workers.runtimes.onnx.table import builds

WIDTHS = {TensorProto.UINT16: 0xFFFF, TensorProto.UINT32: 0xFFFFFFFF}
"""Unsigned types that are kept as int64: the bits that a cast to them leaves."""


@builds("Cast")
def cast(node: Node) -> nn.Module:
    """To the type of the attribute `to`."""
    node.ignore("saturate", "round_mode")  # these speak of 8-bit floats only, which are refused
    to = node.whole("to")
    mask = WIDTHS.get(to)  # type: ignore[call-overload]
    if mask is not None:
        return Apply("Cast", lambda x: x.to(torch.int64) & mask)
    return Typed("Cast", torch_dtype(to, node.label), lambda dtype, x: x.to(dtype))


@builds("CastLike", inputs=(2, 2))
def cast_like(node: Node) -> nn.Module:
    """To the other tensor's type."""
    node.ignore("saturate", "round_mode")
    return Apply("CastLike", lambda x, like: x.to(like.dtype))
