"""Quantised networks. Rounding has no useful derivative: its gradient passes straight through, reported as approximate."""

from __future__ import annotations

from typing import Any

import torch
from onnx import TensorProto
from torch import nn
from torch.nn import functional as F  # noqa: N812  # its usual name

from workers.runtimes.onnx.apply import Apply
from workers.runtimes.onnx.builders.convolution import CONV_FUNCTIONS
from workers.runtimes.onnx.builders.rounding import RANGES, UINT16, Quantise, dequantise, quantise, straight_through
from workers.runtimes.onnx.node import Node
from workers.runtimes.onnx.table import CONTRIB, builds
from workers.runtimes.onnx.windows import flat, windows_of

BOUNDS = {
    TensorProto.INT8: RANGES[torch.int8],
    TensorProto.UINT8: RANGES[torch.uint8],
    TensorProto.INT16: RANGES[torch.int16],
    TensorProto.UINT16: UINT16,
}


def bounds_of(node: Node, index: int, type_: int = 0) -> tuple[int, int] | None:
    """The range of the numbers made: by the attribute, else by the zero point's type, None when only a call shows it."""
    if type_:
        if type_ not in BOUNDS:
            node.refuse("makes a type that is not translated")
        return BOUNDS[type_]  # type: ignore[index]
    kind = node.kind(index)
    if kind is None or not node.has(index):
        return None
    if kind not in BOUNDS:
        node.refuse("has a zero point of a type that is not translated")
    return BOUNDS[kind]  # type: ignore[index]


@builds("QuantizeLinear", inputs=(2, 3))
@builds("QuantizeLinear", inputs=(2, 3), domain=CONTRIB)
def quantize_linear(node: Node) -> nn.Module:
    """To whole numbers, per tensor, per axis or per block."""
    node.approximate = True
    node.ignore("saturate", "precision")
    axis, block = node.whole("axis", 1), node.whole("block_size", 0)
    return Quantise(bounds_of(node, 2, node.whole("output_dtype", 0)), axis, block)


@builds("DequantizeLinear", inputs=(2, 3))
@builds("DequantizeLinear", inputs=(2, 3), domain=CONTRIB)
def dequantize_linear(node: Node) -> nn.Module:
    """From whole numbers."""
    node.ignore("output_dtype")
    axis, block = node.whole("axis", 1), node.whole("block_size", 0)
    return Apply("DequantizeLinear", lambda x, scale, zero=None: dequantise(x, scale, zero, axis, block))


@builds("DynamicQuantizeLinear", outputs=3)
def dynamic_quantize(node: Node) -> nn.Module:
    """To bytes by the range of the tensor itself; the range is taken as given by the gradient."""
    node.approximate = True

    def quantised(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        low, high = x.detach().amin().clamp(max=0), x.detach().amax().clamp(min=0)
        scale = (high - low) / 255
        scale = torch.where(scale == 0, torch.ones_like(scale), scale)
        zero = torch.round(-low / scale).clamp(0, 255)
        return quantise(x, scale, zero, (0, 255)), scale, zero.to(torch.uint8)

    return Apply("DynamicQuantizeLinear", quantised)


def _centred(x: torch.Tensor, zero: torch.Tensor | None, axis: int) -> torch.Tensor:
    """X - zero in double precision: sums of products of bytes stay exact."""
    x = x.double()
    if zero is None:
        return x
    if zero.ndim == 1 and zero.numel() > 1:
        shape = [1] * x.ndim
        shape[axis] = -1
        return x - zero.double().reshape(shape)
    return x - zero.double()


@builds("MatMulInteger", inputs=(2, 4))
def matmul_integer(node: Node) -> nn.Module:
    """Products of bytes."""

    def product(a: torch.Tensor, b: torch.Tensor, a_zero: Any = None, b_zero: Any = None) -> torch.Tensor:
        return torch.matmul(_centred(a, a_zero, -2), _centred(b, b_zero, -1))

    return Apply("MatMulInteger", product)


@builds("ConvInteger", inputs=(2, 4))
def conv_integer(node: Node) -> nn.Module:
    """Convolution of bytes."""
    windows, groups = windows_of(node), node.whole("group", 1)
    node.ignore("kernel_shape")

    def convolved(x: torch.Tensor, w: torch.Tensor, x_zero: Any = None, w_zero: Any = None) -> torch.Tensor:
        window = windows(w.shape[2:])
        conv = CONV_FUNCTIONS[len(window.kernel)]
        x = F.pad(_centred(x, x_zero, 1), flat(window.pads_for(x.shape[2:])))
        return conv(x, _centred(w, w_zero, 0), None, window.strides, 0, window.dilations, groups)  # type: ignore[no-any-return]

    return Apply("ConvInteger", convolved)


@builds("QLinearMatMul", inputs=(8, 8))
def qlinear_matmul(node: Node) -> nn.Module:
    """A product of quantised matrices, quantised again."""
    node.approximate = True
    bounds = bounds_of(node, 7)

    def product(a: Any, a_scale: Any, a_zero: Any, b: Any, b_scale: Any, b_zero: Any, scale: Any, zero: Any) -> torch.Tensor:
        sums = torch.matmul(_centred(a, a_zero, -2), _centred(b, b_zero, -1))
        a_scale = a_scale.double().reshape(-1, 1) if a_scale.numel() > 1 and a_scale.ndim == 1 else a_scale.double()
        steps = straight_through(sums * (a_scale * b_scale.double() / scale.double())) + zero.double()
        answer: torch.Tensor = steps.clamp(*(bounds or RANGES[zero.dtype])).to(scale.dtype)
        return answer

    return Apply("QLinearMatMul", product)


@builds("QLinearConv", inputs=(8, 9))
def qlinear_conv(node: Node) -> nn.Module:
    """A quantised convolution, quantised again."""
    node.approximate = True
    bounds = bounds_of(node, 7)
    windows, groups = windows_of(node), node.whole("group", 1)
    node.ignore("kernel_shape")

    def convolved(
        x: Any, x_scale: Any, x_zero: Any, w: Any, w_scale: Any, w_zero: Any, scale: Any, zero: Any, bias: Any = None
    ) -> torch.Tensor:
        window = windows(w.shape[2:])
        conv = CONV_FUNCTIONS[len(window.kernel)]
        padded = F.pad(_centred(x, x_zero, 1), flat(window.pads_for(x.shape[2:])))
        whole = None if bias is None else bias.double()
        sums = conv(padded, _centred(w, w_zero, 0), whole, window.strides, 0, window.dilations, groups)
        factor = (x_scale.double() * w_scale.double() / scale.double()).reshape(-1, *[1] * len(window.kernel))
        steps = straight_through(sums * factor) + zero.double()
        answer: torch.Tensor = steps.clamp(*(bounds or RANGES[zero.dtype])).to(scale.dtype)
        return answer

    return Apply("QLinearConv", convolved)
