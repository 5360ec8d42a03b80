"""How many calls an adaptive method is likely to need, from runs of which some were ended by their limit. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from explainery.contract.estimate import Run


def likely_share(runs: Sequence[Run], most: int, rows: int) -> float | None:
    """Of the most calls that a job of so many rows may take, what it is likely to; None when runs do not tell.

    The middle of what a row needed, by the product-limit estimate (Kaplan & Meier, JASA 1958): of a run that took all it was
    allowed it is only known that it needed no less. Where too many were cut off to tell the middle, it lies between the longest
    and what is allowed now: halfway, in the logarithm.
    """
    adaptive = sorted(
        ((run.values + run.gradients) / run.rows, _cut_off(run)) for run in runs if run.most is not None and run.rows > 0
    )
    if not adaptive or most <= 0:
        return None
    allowed, alive = most / rows, 1.0
    for place, (calls, cut_off) in enumerate(adaptive):
        if cut_off:
            continue
        alive *= 1 - 1 / (len(adaptive) - place)
        if alive <= 0.5 + 1e-9:
            return min(1.0, calls / allowed)
    return min(1.0, math.sqrt(adaptive[-1][0] / allowed))


def _cut_off(run: Run) -> bool:
    return run.most is not None and run.values + run.gradients >= run.most
