"""Batch normalisation in evaluation: an affine map of each channel, whose backward pass is one multiplication.

torch's own backward pass on CPU takes as long as a convolution's: it could give gradients of statistics and weights, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import nn
from torch.overrides import _len_torch_function_stack  # type: ignore[attr-defined]  # how many modes are on


class _Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, make: Callable[[], torch.Tensor], scale: torch.Tensor) -> torch.Tensor:
        ctx.scale = scale.view(1, -1, *([1] * (x.ndim - 2)))
        return make()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return gradients[0] * ctx.scale, None, None


def scaled(x: torch.Tensor, make: Callable[[], torch.Tensor], scale: torch.Tensor) -> torch.Tensor:
    """What `make` makes of `x` [rows, channels, ...] by an affine map, differentiated as that map. `scale`: [channels]."""
    made: torch.Tensor = _Scaled.apply(x, make, scale)  # type: ignore[no-untyped-call]
    return made


class _Norm:
    """A forward pass for the three of them. Under a mode of changed rules it is what everybody knows: a batch norm."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        """The normalised tensor."""
        plain = self.training or self.running_var is None or _len_torch_function_stack() or not x.requires_grad
        if plain or any(parameter.requires_grad for parameter in self.parameters(recurse=False)):
            return super().forward(x)  # type: ignore[misc, no-any-return]  # the batch norm behind this class
        forward = super().forward  # type: ignore[misc]
        scale = torch.rsqrt(self.running_var + self.eps)
        return scaled(x, lambda: forward(x), scale if self.weight is None else scale * self.weight)


class BatchNorm1d(_Norm, nn.BatchNorm1d):
    """Of vectors and series."""


class BatchNorm2d(_Norm, nn.BatchNorm2d):
    """Of pictures."""


class BatchNorm3d(_Norm, nn.BatchNorm3d):
    """Of volumes."""


FROZEN: Final[dict[type[nn.Module], type[nn.Module]]] = {
    nn.BatchNorm1d: BatchNorm1d,
    nn.BatchNorm2d: BatchNorm2d,
    nn.BatchNorm3d: BatchNorm3d,
}
"""What stands for torch's own in the body that is differentiated."""
