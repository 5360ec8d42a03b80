"""Element by element: one number in, one number out; and the operations of two or more numbers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from workers.runtimes.onnx.apply import Apply
from workers.runtimes.onnx.node import Node, scalar
from workers.runtimes.onnx.table import builds

Unary = Callable[[torch.Tensor], torch.Tensor]

UNARY: dict[str, Unary] = {
    "Abs": torch.abs,
    "Acos": torch.acos,
    "Acosh": torch.acosh,
    "Asin": torch.asin,
    "Asinh": torch.asinh,
    "Atan": torch.atan,
    "Atanh": torch.atanh,
    "Ceil": torch.ceil,
    "Cos": torch.cos,
    "Cosh": torch.cosh,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Floor": torch.floor,
    "Log": torch.log,
    "Neg": torch.neg,
    "Reciprocal": torch.reciprocal,
    "Round": torch.round,
    "Sign": torch.sign,
    "Sin": torch.sin,
    "Sinh": torch.sinh,
    "Sqrt": torch.sqrt,
    "Tan": torch.tan,
}
STEPS = ("Ceil", "Floor", "Round", "Sign")
"""Their derivative is zero wherever there is one; that is the answer, as in torch."""


@builds(*UNARY)
def unary(node: Node) -> nn.Module:
    """A function of each element."""
    return Apply(node.op, UNARY[node.op])


@builds("Identity")
def identity(node: Node) -> nn.Module:
    """The input itself."""
    return nn.Identity()


def divide(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """ONNX's Div: whole numbers are divided towards zero."""
    if one.is_floating_point() or other.is_floating_point():
        return torch.div(one, other)
    return torch.div(one, other, rounding_mode="trunc")


def power(base: torch.Tensor, exponent: torch.Tensor) -> torch.Tensor:
    """ONNX's Pow: the answer has the base's type."""
    return torch.pow(base, exponent).to(base.dtype)


BINARY: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "Add": torch.add,
    "Sub": torch.sub,
    "Mul": torch.mul,
    "Div": divide,
}


@builds(*BINARY, inputs=(2, 2))
def binary(node: Node) -> nn.Module:
    """A function of two elements, broadcast as NumPy does (since opset 7)."""
    return Apply(node.op, BINARY[node.op])


@builds("Pow", inputs=(2, 2))
def pow_(node: Node) -> nn.Module:
    """Powers. A constant exponent is a number, which torch computes and differentiates more exactly."""
    constant = node.constant(1)
    if constant is not None and constant.size == 1 and constant.ndim == 0:
        exponent = scalar(constant)
        node.drop(1)
        return Apply("Pow", lambda base: torch.pow(base, exponent).to(base.dtype))
    return Apply("Pow", power)


@builds("Mod", inputs=(2, 2))
def mod(node: Node) -> nn.Module:
    """The remainder, with the divisor's sign, or the dividend's with `fmod`."""
    return Apply("Mod", torch.fmod if node.whole("fmod", 0) else torch.remainder)


MANY: dict[str, Callable[..., torch.Tensor]] = {"Max": torch.maximum, "Min": torch.minimum, "Sum": torch.add, "Mean": torch.add}


@builds(*MANY, inputs=(1, None))
def many(node: Node) -> nn.Module:
    """A function of any number of tensors."""
    together, count = MANY[node.op], len(node.inputs)
    if node.op == "Mean":
        return Apply("Mean", lambda *tensors: functools.reduce(together, tensors) / count)
    return Apply(node.op, lambda *tensors: functools.reduce(together, tensors))


@builds("Clip", inputs=(1, 3))
def clip(node: Node) -> nn.Module:
    """Bounds as attributes (before opset 11) or inputs."""
    if node.version < 11:
        low = node.number("min") if node.given("min") else None
        high = node.number("max") if node.given("max") else None
        return Apply("Clip", lambda x: bounded(x, low, high))
    if all(not node.has(index) or node.constant(index) is not None for index in (1, 2)):
        bounds = [None if value is None else scalar(value) for value in (node.absorb(1), node.absorb(2))]
        return nn.ReLU6() if bounds == [0.0, 6.0] else Apply("Clip", lambda x: bounded(x, *bounds))
    return Apply("Clip", bounded)


def bounded(x: torch.Tensor, low: Any = None, high: Any = None) -> torch.Tensor:
    """`x` between two bounds; the upper one wins, as ONNX defines it."""
    if low is not None:
        x = torch.maximum(x, low) if isinstance(low, torch.Tensor) else x.clamp(min=low)
    if high is not None:
        x = torch.minimum(x, high) if isinstance(high, torch.Tensor) else x.clamp(max=high)
    return x


@builds("Dropout", inputs=(1, 3), outputs=2)
def dropout(node: Node) -> nn.Module:
    """Nothing: models are explained in evaluation mode. Training mode is refused."""
    node.ignore("ratio", "seed")
    training = node.absorb(2) if node.has(2) else None
    if node.has(2) and (training is None or scalar(training)):
        node.refuse("in training mode is not translated")
    node.drop(1)
    if not node.wants(1):
        return nn.Identity()
    return Apply("Dropout", lambda x: (x, torch.ones_like(x, dtype=torch.bool)))
