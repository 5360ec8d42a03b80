"""Modules for operators that have none in torch.nn: a function as a module, and a type that follows the module's precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


class Apply(nn.Module):
    """An operator as a module. `operator` names it; rule-based methods tell modules apart by type and by this name."""

    def __init__(self, operator: str, function: Callable[..., Any]) -> None:
        super().__init__()
        self.operator = operator
        self.function = function

    def forward(self, *inputs: Any) -> Any:
        """The function's answer."""
        return self.function(*inputs)

    def extra_repr(self) -> str:
        """The operator's name."""
        return self.operator


class Typed(nn.Module):
    """An operator that makes a tensor of a type: `function(dtype, *inputs)`.

    The type of floats follows `.double()`, so that a whole graph can be run in another precision.
    """

    like: torch.Tensor

    def __init__(self, operator: str, dtype: torch.dtype, function: Callable[..., Any]) -> None:
        super().__init__()
        self.operator = operator
        self.function = function
        self.register_buffer("like", torch.zeros(0, dtype=dtype))

    def forward(self, *inputs: Any) -> Any:
        """The function's answer."""
        return self.function(self.like.dtype, *inputs)

    def extra_repr(self) -> str:
        """The operator's name."""
        return self.operator


class With(nn.Module):
    """An operator with a constant tensor: `function(constant, *inputs)`. The constant moves with the module."""

    constant: torch.Tensor

    def __init__(self, operator: str, constant: torch.Tensor, function: Callable[..., Any]) -> None:
        super().__init__()
        self.operator = operator
        self.function = function
        self.register_buffer("constant", constant)

    def forward(self, *inputs: Any) -> Any:
        """The function's answer."""
        return self.function(self.constant, *inputs)

    def extra_repr(self) -> str:
        """The operator's name."""
        return self.operator


def frozen(tensor: torch.Tensor) -> nn.Parameter:
    """A weight that is not trained."""
    return nn.Parameter(tensor, requires_grad=False)
