"""A layer's tensor in figures, on the device: one vector per point (see `workers.figures`)."""

from __future__ import annotations

import torch

from explainery.contract.layers import LayerSpec
from workers.figures import NO_SLOPE, ZERO, saturation, unit_axis, units_of


def summarised(layer: LayerSpec, tensor: torch.Tensor, slope: torch.Tensor | None) -> torch.Tensor:
    """[points, figures] of a layer's output [points, *row] and the score's gradient to it (None: it is not made of it)."""
    points = len(tensor)
    real = tensor.detach()
    finite = torch.isfinite(real)
    flat = torch.where(finite, real, torch.zeros((), dtype=real.dtype, device=real.device)).reshape(points, -1)
    scalars = [
        torch.full((points,), flat.shape[1], dtype=torch.float64, device=real.device),
        flat.sum(1, dtype=torch.float64),
        flat.square().sum(1, dtype=torch.float64),
        (flat.abs() <= ZERO).sum(1) - (~finite).reshape(points, -1).sum(1),
        _saturated(layer, flat),
        (~finite).reshape(points, -1).sum(1),
        _slope(slope, flat),
    ]
    top, bottom = _extremes(layer, flat.reshape(real.shape))
    return torch.cat([torch.stack([scalar.double() for scalar in scalars], 1), top.double(), bottom.double()], 1)


def _saturated(layer: LayerSpec, flat: torch.Tensor) -> torch.Tensor:
    ends = saturation(layer)
    if ends is None:
        return flat.new_zeros(len(flat))
    return ((flat < ends[0]) | (flat > ends[1])).sum(1)


def _slope(slope: torch.Tensor | None, flat: torch.Tensor) -> torch.Tensor:
    if slope is None:
        return torch.full((len(flat),), NO_SLOPE, dtype=torch.float64, device=flat.device)
    return slope.reshape(len(flat), -1).square().sum(1, dtype=torch.float64)


def _extremes(layer: LayerSpec, tensor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The highest and lowest value of each unit, [points, units]; NaN where the rows have another number of units here."""
    units = units_of(layer)
    if not layer.shape:
        return tensor.reshape(-1, 1), tensor.reshape(-1, 1)
    if tensor.ndim != len(layer.shape) + 1 or tensor.shape[unit_axis(layer) + 1] != units:
        unknown = tensor.new_full((len(tensor), units), torch.nan)
        return unknown, unknown
    by_unit = tensor.movedim(unit_axis(layer) + 1, 1).reshape(len(tensor), units, -1)
    return by_unit.amax(2), by_unit.amin(2)
