"""DeepLIFT's rule for maxima over windows or axes, as captum has it but for windows that overlap, whose shares are added.

The larger of the two maxima, less the reference's, goes to where the instance has its maximum; the rest of the difference goes
to where the reference has its own. Each share is divided by the input's difference there: so the shares sum to the difference.
"""

from __future__ import annotations

import torch

from workers.inside.backward.answered import answered


def of_winners(value: torch.Tensor, x: torch.Tensor, places: torch.Tensor, axis: int) -> torch.Tensor:
    """`value`, the maxima, with the rule's derivative.

    `x`: [..., candidates]; `places`: [..., maxima], where they are; both halves along `axis`.
    """
    half = x.shape[axis] // 2
    here, there = places.narrow(axis, 0, half), places.narrow(axis, half, half)
    with torch.no_grad():
        step = x.narrow(axis, 0, half) - x.narrow(axis, half, half)
        flat = torch.gather(x, -1, places)
        top, other = flat.narrow(axis, 0, half), flat.narrow(axis, half, half)
        larger = torch.maximum(top, other)
        own_step, rest_step = step.gather(-1, here), step.gather(-1, there)
        # where nothing changed at the one place that wins at both, the maximum's own slope
        own = torch.where((own_step == 0) & (here == there), 1.0, _share(larger - other, own_step))
        rest = _share(top - larger, rest_step)
    points = x.narrow(axis, 0, half)
    surrogate = points.gather(-1, here) * own + points.gather(-1, there) * rest
    return answered(lambda: value, surrogate.reshape(_halved(value, axis)), axis)


def _halved(value: torch.Tensor, axis: int) -> list[int]:
    return [size // 2 if place == axis else size for place, size in enumerate(value.shape)]


def _share(change: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
    """A share per unit of the input's difference, nothing where there is none: differences of the same numbers, and exact."""
    return change / torch.where(step == 0, 1.0, step)
