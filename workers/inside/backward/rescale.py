"""DeepLIFT's Rescale rule: an elementwise function is differentiated as the line through its two points."""

from __future__ import annotations

import math
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


def _slope(call: Call, x: torch.Tensor, near: torch.Tensor, axis: int) -> torch.Tensor:
    """The derivative at the instances, where it is wanted."""
    if call.name == "relu":
        return (x.narrow(axis, 0, x.shape[axis] // 2) > 0).to(x.dtype)
    with torch.enable_grad():
        wanted = torch.cat([near, near], axis)
        leaf = torch.where(wanted, x.detach(), HARMLESS).requires_grad_()
        (slope,) = torch.autograd.grad(call.of({id(x): leaf}).run().sum(), leaf)
    return slope.narrow(axis, 0, slope.shape[axis] // 2)
