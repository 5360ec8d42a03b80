"""Rounding with a straight-through gradient: forward the rounded value, backward as if it had not been rounded."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from workers.runtimes.onnx.limits import sized

RANGES = {torch.int8: (-128, 127), torch.uint8: (0, 255), torch.int16: (-32768, 32767), torch.int32: (-(2**31), 2**31 - 1)}
UINT16 = (0, 65535)


class StraightThrough(torch.autograd.Function):
    """Half to even, as ONNX rounds."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        """The rounded tensor."""
        return torch.round(x)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        """The gradient as it came."""
        return gradients[0]


def straight_through(x: torch.Tensor) -> torch.Tensor:
    """`x` rounded, with the identity's gradient."""
    return StraightThrough.apply(x)  # type: ignore[no-any-return, no-untyped-call]


def spread(parameter: torch.Tensor, x: torch.Tensor, axis: int, block: int) -> torch.Tensor:
    """A scale or zero point made to broadcast with `x`: one for all, one per place of an axis, or one per block of it."""
    if block:
        sized([*parameter.shape, block], "QuantizeLinear")
        return parameter.repeat_interleave(block, axis).narrow(axis, 0, x.shape[axis])
    if parameter.numel() == 1 and parameter.ndim <= 1:
        return parameter.reshape(())
    if parameter.ndim != 1 or parameter.numel() != x.shape[axis]:
        raise ValueError("scale and zero point have neither one element nor one per place of the axis")
    shape = [1] * x.ndim
    shape[axis] = -1
    return parameter.reshape(shape)


def quantise(
    x: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor | None, bounds: tuple[int, int], axis: int = 1, block: int = 0
) -> torch.Tensor:
    """Whole numbers in the scale's float type: round(x / scale) + zero, within bounds."""
    steps = straight_through(x / spread(scale, x, axis, block))
    if zero is not None:
        steps = steps + spread(zero.to(steps.dtype), x, axis, block)
    return steps.clamp(*bounds)


def dequantise(x: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor | None, axis: int = 1, block: int = 0) -> torch.Tensor:
    """(x - zero) scale."""
    values = x.to(scale.dtype)
    if zero is not None:
        values = values - spread(zero.to(scale.dtype), x, axis, block)
    return values * spread(scale, x, axis, block)


class Quantise(nn.Module):
    """QuantizeLinear. Whole numbers stay in a float tensor, so that a gradient can pass."""

    def __init__(self, bounds: tuple[int, int] | None, axis: int, block: int) -> None:
        super().__init__()
        self.bounds, self.axis, self.block = bounds, axis, block

    def forward(self, x: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor | None = None) -> torch.Tensor:
        """The quantised numbers."""
        bounds = self.bounds or RANGES[torch.uint8 if zero is None else zero.dtype]
        return quantise(x.to(scale.dtype), scale, zero, bounds, self.axis, self.block)
