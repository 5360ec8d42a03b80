"""Quantised operators of com.microsoft, as ONNX Runtime's quantiser writes them: dequantise, compute, quantise again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from workers.runtimes.onnx.apply import Apply
from workers.runtimes.onnx.builders.pooling import average_pool
from workers.runtimes.onnx.builders.quantised import bounds_of
from workers.runtimes.onnx.builders.rounding import RANGES, dequantise, quantise
from workers.runtimes.onnx.node import Node
from workers.runtimes.onnx.table import CONTRIB, builds

BINARY: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {"QLinearAdd": torch.add, "QLinearMul": torch.mul}


@builds(*BINARY, inputs=(7, 8), domain=CONTRIB)
def qlinear_binary(node: Node) -> nn.Module:
    """Sums and products. Inputs: a, scale, zero; b, scale, zero; scale and zero of the answer."""
    node.approximate = True
    function, bounds = BINARY[node.op], bounds_of(node, 7)

    def computed(a: Any, a_scale: Any, a_zero: Any, b: Any, b_scale: Any, b_zero: Any, scale: Any, zero: Any = None) -> Any:
        answer = function(dequantise(a, a_scale, a_zero), dequantise(b, b_scale, b_zero))
        return quantise(answer, scale, zero, bounds or RANGES[torch.uint8 if zero is None else zero.dtype])

    return Apply(node.op, computed)


class Between(nn.Module):
    """A module of floats between two scales: x, scale, zero; scale and zero of the answer."""

    def __init__(self, module: nn.Module, bounds: tuple[int, int] | None) -> None:
        super().__init__()
        self.module, self.bounds = module, bounds

    def forward(self, x: Any, x_scale: Any, x_zero: Any, scale: Any, zero: Any = None) -> Any:
        """The quantised answer."""
        answer = self.module(dequantise(x, x_scale, x_zero))
        return quantise(answer, scale, zero, self.bounds or RANGES[torch.uint8 if zero is None else zero.dtype])


def _mean(x: torch.Tensor, last: bool) -> torch.Tensor:
    axes = tuple(range(1, x.ndim - 1)) if last else tuple(range(2, x.ndim))
    return x.mean(axes, keepdim=True)


@builds("QLinearSigmoid", "QLinearLeakyRelu", "QLinearGlobalAveragePool", inputs=(4, 5), domain=CONTRIB)
def qlinear_unary(node: Node) -> nn.Module:
    """Functions of one tensor. Inputs: x, scale, zero; scale and zero of the answer."""
    node.approximate = True
    alpha = node.number("alpha", 0.01) if node.op == "QLinearLeakyRelu" else 0.0
    last = bool(node.whole("channels_last", 0)) if node.op == "QLinearGlobalAveragePool" else False
    functions: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "QLinearSigmoid": torch.sigmoid,
        "QLinearLeakyRelu": lambda x: nn.functional.leaky_relu(x, alpha),
        "QLinearGlobalAveragePool": lambda x: _mean(x, last),
    }
    return Between(Apply(node.op, functions[node.op]), bounds_of(node, 4))


@builds("QLinearAveragePool", inputs=(4, 5), domain=CONTRIB)
def qlinear_average_pool(node: Node) -> nn.Module:
    """The mean of each window."""
    node.approximate = True
    if node.whole("channels_last", 0):
        node.refuse("with channels last is not translated")
    return Between(average_pool(node), bounds_of(node, 4))


@builds("QLinearConcat", inputs=(5, None), domain=CONTRIB)
def qlinear_concat(node: Node) -> nn.Module:
    """Tensors one after the other. Inputs: scale and zero of the answer, then x, scale, zero of each."""
    node.approximate = True
    axis, bounds = node.whole("axis"), bounds_of(node, 1)
    if len(node.inputs) % 3 != 2:
        node.refuse("has inputs that do not come in threes")

    def joined(scale: Any, zero: Any, *parts: Any) -> Any:
        tensors = [dequantise(*parts[start : start + 3]) for start in range(0, len(parts), 3)]
        return quantise(torch.cat(tensors, axis), scale, zero, bounds or RANGES[zero.dtype])

    return Apply("QLinearConcat", joined)


@builds("QGemm", inputs=(6, 9), domain=CONTRIB)
def qgemm(node: Node) -> nn.Module:
    """Alpha A' B' + C. Inputs: a, scale, zero; b, scale, zero; C in steps of both scales; scale and zero of the answer."""
    node.approximate = True
    alpha, turn_a, turn_b = node.number("alpha", 1.0), bool(node.whole("transA", 0)), bool(node.whole("transB", 0))
    bounds = bounds_of(node, 8)

    def product(
        a: Any, a_scale: Any, a_zero: Any, b: Any, b_scale: Any, b_zero: Any, c: Any = None, scale: Any = None, zero: Any = None
    ) -> Any:
        left, right = a.double() - a_zero.double(), b.double() - b_zero.double()
        sums = torch.matmul(left.T if turn_a else left, right.T if turn_b else right)
        sums = sums if c is None else sums + c.double()
        answer = sums * (alpha * a_scale.double() * b_scale.double())
        if scale is None:
            return answer.to(a_scale.dtype)
        kind = bounds or RANGES[torch.uint8 if zero is None else zero.dtype]
        return quantise(answer, scale.double(), zero, kind).to(a_scale.dtype)

    return Apply("QGemm", product)
