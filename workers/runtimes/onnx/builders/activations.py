"""Activations, as torch's own modules where there is one: rule-based methods tell them by their type."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # its usual name

from workers.runtimes.onnx.apply import Apply, frozen
from workers.runtimes.onnx.dtypes import tensor_of
from workers.runtimes.onnx.node import Node
from workers.runtimes.onnx.table import builds


@builds("Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "Mish", "HardSwish")
def plain(node: Node) -> nn.Module:
    """Activations without a parameter."""
    modules: dict[str, type[nn.Module]] = {
        "Relu": nn.ReLU,
        "Sigmoid": nn.Sigmoid,
        "Tanh": nn.Tanh,
        "Softsign": nn.Softsign,
        "Mish": nn.Mish,
        "HardSwish": nn.Hardswish,
    }
    if node.op == "Softplus":
        return Apply("Softplus", softplus)
    return modules[node.op]()


def softplus(x: torch.Tensor) -> torch.Tensor:
    """log(1 + exp(x)) without overflow; torch's own module turns linear at 20, which float64 sees."""
    return torch.logaddexp(x, torch.zeros_like(x))


@builds("LeakyRelu")
def leaky_relu(node: Node) -> nn.Module:
    """A slope below zero."""
    return nn.LeakyReLU(node.number("alpha", 0.01))


@builds("Elu")
def elu(node: Node) -> nn.Module:
    """Exponential below zero."""
    return nn.ELU(node.number("alpha", 1.0))


@builds("Celu")
def celu(node: Node) -> nn.Module:
    """Continuously differentiable ELU."""
    return nn.CELU(node.number("alpha", 1.0))


@builds("Selu")
def selu(node: Node) -> nn.Module:
    """Scaled ELU; torch's own module where the constants are the paper's."""
    alpha, gamma = node.number("alpha", 1.67326319217681884765625), node.number("gamma", 1.05070102214813232421875)
    if abs(alpha - 1.6732632) < 1e-6 and abs(gamma - 1.0507010) < 1e-6:
        return nn.SELU()
    return Apply("Selu", lambda x: gamma * F.elu(x, alpha))


@builds("ThresholdedRelu")
def thresholded_relu(node: Node) -> nn.Module:
    """Zero up to a threshold."""
    return nn.Threshold(node.number("alpha", 1.0), 0.0)


@builds("Shrink")
def shrink(node: Node) -> nn.Module:
    """Nearer to zero by a bias, and zero between the thresholds."""
    bias, edge = node.number("bias", 0.0), node.number("lambd", 0.5)

    def shrunk(x: torch.Tensor) -> torch.Tensor:
        moved = torch.where(x < -edge, x + bias, torch.where(x > edge, x - bias, torch.zeros_like(x)))
        return moved.to(x.dtype)

    return Apply("Shrink", shrunk)


@builds("HardSigmoid")
def hard_sigmoid(node: Node) -> nn.Module:
    """A line between zero and one."""
    alpha, beta = node.number("alpha", 0.2), node.number("beta", 0.5)
    if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5:
        return nn.Hardsigmoid()
    return Apply("HardSigmoid", lambda x: (alpha * x + beta).clamp(0, 1))


@builds("Gelu")
def gelu(node: Node) -> nn.Module:
    """Gaussian error linear unit."""
    kind = node.text("approximate", "none")
    if kind not in ("none", "tanh"):
        node.refuse("has an approximation that is not translated")
    return nn.GELU(kind)


@builds("Swish")
def swish(node: Node) -> nn.Module:
    """X sigmoid(alpha x)."""
    alpha = node.number("alpha", 1.0)
    return nn.SiLU() if alpha == 1 else Apply("Swish", lambda x: x * torch.sigmoid(alpha * x))


@builds("PRelu", inputs=(2, 2))
def prelu(node: Node) -> nn.Module:
    """A learned slope below zero: torch's own module where there is one slope, or one per channel."""
    slope = node.constant(1)
    channels = slope is not None and slope.ndim > 1 and slope.size == slope.shape[0]
    if slope is not None and (channels or slope.size == 1):
        node.drop(1)
        module = nn.PReLU(slope.size)
        module.weight = frozen(tensor_of(slope.reshape(-1), node.label))
        return module
    return Apply("PRelu", lambda x, slope: torch.where(x < 0, slope * x, x))


@builds("Softmax", "LogSoftmax", "Hardmax")
def softmax(node: Node) -> nn.Module:
    """Along one axis since opset 13; before that over all axes from `axis` on."""
    modules = {"Softmax": nn.Softmax, "LogSoftmax": nn.LogSoftmax}
    if node.version >= 13:
        axis = node.whole("axis", -1)
        return modules[node.op](axis) if node.op in modules else Apply("Hardmax", lambda x: hardmax(x, axis))
    axis = node.whole("axis", 1)
    functions = {"Softmax": F.softmax, "LogSoftmax": F.log_softmax}
    if axis == -1 and node.op in modules:
        return modules[node.op](-1)
    return Apply(node.op, lambda x: flat_from(x, axis, functions.get(node.op, hardmax)))


def flat_from(x: torch.Tensor, axis: int, function: object) -> torch.Tensor:
    """The function over all axes from `axis` on, taken as one."""
    axis = axis % x.ndim if x.ndim else 0
    return function(x.flatten(axis), -1).reshape(x.shape) if x.ndim else function(x, 0)  # type: ignore[operator, no-any-return]


def hardmax(x: torch.Tensor, axis: int) -> torch.Tensor:
    """One at the first largest element, zero elsewhere."""
    return torch.zeros_like(x).scatter(axis, x.argmax(axis, keepdim=True), 1)
