"""DeepLIFT's Rescale rule: an elementwise function is differentiated as the line through its two points."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from workers.inside.backward.answered import answered
from workers.inside.backward.calls import Call
from workers.inside.backward.halves import Axes

HARMLESS = 0.5
"""Every elementwise function of the table has a finite slope here."""


def nearness(dtype: torch.dtype) -> float:
    """How near two points must be, as a share of their size (or of 1), for the line through them to be the tangent.

    A quotient of rounded differences is off by eps / difference, the tangent by the difference: a thirtieth of where they meet,
    because steep functions bend sooner. 1e-5 in single, 5e-10 in double precision.
    """
    return math.sqrt(torch.finfo(dtype).eps) / 32


def rescaled(axes: Axes, call: Call, x: torch.Tensor) -> Any:
    """An elementwise function of `x`, with the multiplier (f(x) - f(b)) / (x - b). Raises Mixed where it cannot be halved."""
    if call.name == "relu":
        return _rectified(axes, call, x)
    y = call.value()
    axis = axes.of(x)
    with torch.no_grad():
        (x_here, x_there), half = axes.halves(x), x.shape[axis] // 2
        y_here, y_there = y.narrow(axis, 0, half), y.narrow(axis, half, half)
        step = x_here - x_there
        limit = x_here.abs().clamp(max=1) * nearness(x.dtype)
        near = ~(step.abs() > limit)  # also where the difference is not a number, as between two masked scores
        multiplier = (y_here - y_there) / torch.where(near, 1.0, step)
        if bool(near.any()):
            slope = _slope(call, x, near, axis)
            multiplier = torch.where(near, slope, multiplier)
    return answered(lambda: y, x.narrow(axis, 0, half) * multiplier, axis)


class _Line(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, value: Callable[[], torch.Tensor], multiplier: torch.Tensor, axis: int
    ) -> torch.Tensor:
        ctx.multiplier, ctx.axis = multiplier, axis
        return value()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        (gradient,) = gradients
        half = gradient.shape[ctx.axis] // 2
        passed = torch.zeros_like(gradient)
        torch.mul(gradient.narrow(ctx.axis, 0, half), ctx.multiplier, out=passed.narrow(ctx.axis, 0, half))
        return passed, None, None, None


def _rectified(axes: Axes, call: Call, x: torch.Tensor) -> torch.Tensor:
    """A ReLU, which most networks are full of: its quotient is exact wherever the two points differ at all."""
    y, axis = call.value(), axes.of(x)
    with torch.no_grad():
        (x_here, x_there), half = axes.halves(x), x.shape[axis] // 2
        multiplier = (y.narrow(axis, 0, half) - y.narrow(axis, half, half)) / (x_here - x_there)
        multiplier = torch.where(multiplier.isnan(), (x_here > 0).to(x.dtype), multiplier)
    made: torch.Tensor = _Line.apply(x, lambda: y, multiplier, axis)  # type: ignore[no-untyped-call]
    return made


def _slope(call: Call, x: torch.Tensor, near: torch.Tensor, axis: int) -> torch.Tensor:
    """The derivative at the instances, where it is wanted."""
    with torch.enable_grad():
        wanted = torch.cat([near, near], axis)
        leaf = torch.where(wanted, x.detach(), HARMLESS).requires_grad_()
        (slope,) = torch.autograd.grad(call.of({id(x): leaf}).run().sum(), leaf)
    return slope.narrow(axis, 0, slope.shape[axis] // 2)
