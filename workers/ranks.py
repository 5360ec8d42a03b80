"""How alike two maps are: correlations that are None where there is nothing to compare."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from workers.questions import Floats

FLAT = 1e-12
"""A spread below this share of the largest value is none."""
SETTLED = 1e-6
"""Values that differ by less than this share of the largest are as large as each other: models compute in single precision."""


def correlation(one: Floats, other: Floats) -> float | None:
    """Pearson's; None where either is constant, or there are fewer than two values."""
    if len(one) < 2 or _flat(one) or _flat(other):
        return None
    a, b = one - one.mean(), other - other.mean()
    return float(np.clip((a @ b) / np.sqrt((a @ a) * (b @ b)), -1, 1))


def rank_correlation(one: Floats, other: Floats) -> float | None:
    """Spearman's; what is zero in both maps (a blank margin) is left out, and a constant map is unlike any other: 0.

    None where fewer than two values are left, or both are constant. Rounding has no rank: see `settled`.
    """
    one, other = settled(one), settled(other)
    seen = (one != 0) | (other != 0)
    a, b = one[seen], other[seen]
    if len(a) < 2 or (_flat(a) and _flat(b)):
        return None
    found = correlation(rankdata(a), rankdata(b))
    return 0.0 if found is None else found


def settled(values: Floats) -> Floats:
    """The values in steps of `SETTLED` of the largest: what differs by rounding alone is a tie, and 1e-17 is zero."""
    largest = float(np.abs(values).max(initial=0.0))
    return np.asarray(np.rint(values / (SETTLED * largest))) if largest > 0 else np.zeros(values.shape)


def _flat(values: Floats) -> bool:
    return bool(np.ptp(values) <= FLAT * np.abs(values).max(initial=0.0))
