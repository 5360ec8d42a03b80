"""How alike two maps are: correlations that are None where there is nothing to compare."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from workers.questions import Floats

FLAT = 1e-12
"""A spread below this share of the largest value is none."""


def correlation(one: Floats, other: Floats) -> float | None:
    """Pearson's; None where either is constant, or there are fewer than two values."""
    if len(one) < 2 or _flat(one) or _flat(other):
        return None
    a, b = one - one.mean(), other - other.mean()
    return float(np.clip((a @ b) / np.sqrt((a @ a) * (b @ b)), -1, 1))


def rank_correlation(one: Floats, other: Floats) -> float | None:
    """Spearman's; what is zero in both maps (a blank margin) is left out, and a constant map is unlike any other: 0.

    None where fewer than two values are left, or both are constant.
    """
    seen = (one != 0) | (other != 0)
    a, b = one[seen], other[seen]
    if len(a) < 2 or (_flat(a) and _flat(b)):
        return None
    found = correlation(rankdata(a), rankdata(b))
    return 0.0 if found is None else found


def _flat(values: Floats) -> bool:
    return bool(np.ptp(values) <= FLAT * np.abs(values).max(initial=0.0))
