"""A value with the derivative of something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class _Answered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Callable[[], torch.Tensor], surrogate: torch.Tensor, axis: int | None) -> torch.Tensor:
        ctx.axis = axis
        return value()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[None, torch.Tensor, None]:
        (gradient,) = gradients
        if ctx.axis is None:
            return None, gradient, None
        return None, gradient.narrow(ctx.axis, 0, gradient.shape[ctx.axis] // 2), None


def answered(value: Callable[[], torch.Tensor], surrogate: torch.Tensor, halved_axis: int | None = None) -> torch.Tensor:
    """What `value` gives, a new tensor, differentiated as `surrogate` is.

    `halved_axis`: the axis along which the surrogate is only the first half of the value. What reaches the other half ends.
    """
    made: torch.Tensor = _Answered.apply(value, surrogate, halved_axis)  # type: ignore[no-untyped-call]
    return made
