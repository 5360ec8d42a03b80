"""DeepLIFT's Rescale rule: an elementwise function is differentiated as the line through its two points."""

from __future__ import annotations

from typing import Any

import torch

from workers.inside.answered import answered
from workers.inside.calls import Call
from workers.inside.halves import Axes

NEAR = 1e-6
"""Where the two points are nearer than this, the line is the tangent: a quotient of such numbers is noise."""
HARMLESS = 0.5
"""Every elementwise function of the table has a finite slope here."""


def rescaled(axes: Axes, call: Call, x: torch.Tensor) -> Any:
    """An elementwise function of `x`, with the multiplier (f(x) - f(b)) / (x - b). Raises Mixed where it cannot be halved."""
    y = call.value()
    axis = axes.of(x)
    with torch.no_grad():
        (x_here, x_there), half = axes.halves(x), x.shape[axis] // 2
        y_here, y_there = y.narrow(axis, 0, half), y.narrow(axis, half, half)
        step = x_here - x_there
        near = ~(step.abs() >= NEAR)  # also where the difference is not a number, as between two masked scores
        multiplier = (y_here - y_there) / torch.where(near, 1.0, step)
        if bool(near.any()):
            slope = _slope(call, x, near, axis)
            multiplier = torch.where(near, slope, multiplier)
    return answered(lambda: y, x.narrow(axis, 0, half) * multiplier, axis)


def _slope(call: Call, x: torch.Tensor, near: torch.Tensor, axis: int) -> torch.Tensor:
    """The derivative at the instances, where it is wanted."""
    with torch.enable_grad():
        wanted = torch.cat([near, near], axis)
        leaf = torch.where(wanted, x.detach(), HARMLESS).requires_grad_()
        (slope,) = torch.autograd.grad(call.of({id(x): leaf}).run().sum(), leaf)
    return slope.narrow(axis, 0, slope.shape[axis] // 2)
