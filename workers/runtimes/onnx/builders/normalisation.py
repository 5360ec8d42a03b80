"""Normalisations, as torch's own modules where their parameters are constant."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # its usual name

from workers.runtimes.onnx.apply import Apply, frozen
from workers.runtimes.onnx.node import Node
from workers.runtimes.onnx.table import builds


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation with known statistics, over inputs of any rank."""

    def _check_input_dim(self, input: torch.Tensor) -> None:
        """Any rank."""


class InstanceNorm(nn.InstanceNorm2d):
    """Instance normalisation over inputs of any rank."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Rows' channels normalised."""
        return F.instance_norm(input, weight=self.weight, bias=self.bias, eps=self.eps)


@builds("BatchNormalization", inputs=(5, 5), outputs=1)
def batch_norm(node: Node) -> nn.Module:
    """With the running statistics; training mode is refused."""
    epsilon = node.number("epsilon", 1e-5)
    node.ignore("momentum")
    if node.whole("training_mode", 0) or node.whole("spatial", 1) != 1:
        node.refuse("in training mode, or not per channel, is not translated")
    if any(node.constant(index) is None for index in range(1, 5)):
        return Apply(
            "BatchNormalization", lambda x, scale, bias, mean, var: F.batch_norm(x, mean, var, scale, bias, eps=epsilon)
        )
    scale, bias, mean, variance = (node.absorb_tensor(index) for index in range(1, 5))
    assert scale is not None  # noqa: S101  # all four are constant, see above
    module = BatchNorm(len(scale), eps=epsilon)
    module.weight, module.bias = frozen(scale), frozen(bias)  # type: ignore[arg-type]
    module.running_mean, module.running_var = mean, variance
    return module.eval()


@builds("InstanceNormalization", inputs=(3, 3))
def instance_norm(node: Node) -> nn.Module:
    """Each row's channel by its own statistics."""
    epsilon = node.number("epsilon", 1e-5)
    if node.constant(1) is None or node.constant(2) is None:
        return Apply("InstanceNormalization", lambda x, scale, bias: F.instance_norm(x, weight=scale, bias=bias, eps=epsilon))
    scale, bias = node.absorb_tensor(1), node.absorb_tensor(2)
    module = InstanceNorm(len(scale), eps=epsilon, affine=True)  # type: ignore[arg-type]
    module.weight, module.bias = frozen(scale), frozen(bias)  # type: ignore[arg-type]
    return module


@builds("LayerNormalization", inputs=(2, 3), outputs=3)
def layer_norm(node: Node) -> nn.Module:
    """Over the last axes; torch's own module when there is one constant vector of weights."""
    axis, epsilon = node.whole("axis", -1), node.number("epsilon", 1e-5)
    if node.whole("stash_type", 1) != 1:
        node.refuse("with statistics of another type is not translated")
    scale, bias = node.constant(1), node.constant(2)
    vector = scale is not None and scale.ndim == 1 and scale.size > 1 and axis == -1
    fits = not node.has(2) or (bias is not None and scale is not None and bias.shape == scale.shape)
    if vector and fits and scale is not None and not node.wants(1) and not node.wants(2):
        module = nn.LayerNorm(scale.size, epsilon, bias=node.has(2))
        module.weight = frozen(node.absorb_tensor(1))  # type: ignore[arg-type]
        if node.has(2):
            module.bias = frozen(node.absorb_tensor(2))  # type: ignore[arg-type]
        return module
    return Apply("LayerNormalization", lambda x, scale, bias=None: normalised(x, scale, bias, axis, epsilon))


def normalised(x: torch.Tensor, scale: torch.Tensor, bias: Any, axis: int, epsilon: float) -> tuple[torch.Tensor, ...]:
    """Layer normalisation over all axes from `axis` on, its mean and its inverse deviation."""
    axes = tuple(range(axis % x.ndim, x.ndim))
    mean = x.mean(axes, keepdim=True)
    deviation = torch.rsqrt((x - mean).pow(2).mean(axes, keepdim=True) + epsilon)
    answer = (x - mean) * deviation * scale
    return (answer if bias is None else answer + bias), mean, deviation


@builds("RMSNormalization", inputs=(2, 2))
@builds("SimplifiedLayerNormalization", inputs=(2, 2))
def rms_norm(node: Node) -> nn.Module:
    """By the root of the mean square over the last axes."""
    axis, epsilon = node.whole("axis", -1), node.number("epsilon", 1e-5)
    if node.whole("stash_type", 1) != 1:
        node.refuse("with statistics of another type is not translated")

    def normed(x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        axes = tuple(range(axis % x.ndim, x.ndim))
        return x * torch.rsqrt(x.pow(2).mean(axes, keepdim=True) + epsilon) * scale

    return Apply(node.op, normed)


@builds("GroupNormalization", inputs=(3, 3))
def group_norm(node: Node) -> nn.Module:
    """Groups of channels by their own statistics. Weights are per group before opset 21, per channel since."""
    groups, epsilon = node.whole("num_groups"), node.number("epsilon", 1e-5)
    if node.whole("stash_type", 1) != 1:
        node.refuse("with statistics of another type is not translated")
    per_group = node.version < 21

    def normed(x: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        if per_group:
            each = x.shape[1] // groups
            scale, bias = scale.repeat_interleave(each), bias.repeat_interleave(each)
        return F.group_norm(x, groups, scale, bias, epsilon)

    return Apply("GroupNormalization", normed)


@builds("LRN")
def local_response(node: Node) -> nn.Module:
    """Each channel by the squares of its neighbours."""
    size = node.whole("size")
    alpha, beta, bias = node.number("alpha", 1e-4), node.number("beta", 0.75), node.number("bias", 1.0)

    def normed(x: torch.Tensor) -> torch.Tensor:
        squares = F.pad(x.pow(2), [0, 0] * (x.ndim - 2) + [(size - 1) // 2, size - 1 - (size - 1) // 2])
        around = squares.unfold(1, size, 1).sum(-1)
        return x / (bias + alpha / size * around).pow(beta)

    return Apply("LRN", normed)


@builds("LpNormalization")
def lp_norm(node: Node) -> nn.Module:
    """By the 1- or 2-norm along an axis; where the norm is zero, zero."""
    axis, p = node.whole("axis", -1), node.whole("p", 2)
    if p not in (1, 2):
        node.refuse("has a norm that is not translated")

    def normed(x: torch.Tensor) -> torch.Tensor:
        size = x.abs().sum(axis, keepdim=True) if p == 1 else x.pow(2).sum(axis, keepdim=True).sqrt()
        return torch.where(size == 0, torch.zeros_like(x), x / size.where(size != 0, torch.ones_like(size)))

    return Apply("LpNormalization", normed)


@builds("MeanVarianceNormalization")
def mean_variance(node: Node) -> nn.Module:
    """Mean zero, variance one, over axes."""
    axes = node.wholes("axes") or [0, 2, 3]

    def normed(x: torch.Tensor) -> torch.Tensor:
        mean = x.mean(axes, keepdim=True)
        deviation = (x.pow(2).mean(axes, keepdim=True) - mean.pow(2)).sqrt()
        return (x - mean) / (deviation + 1e-9)

    return Apply("MeanVarianceNormalization", normed)
