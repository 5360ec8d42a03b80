"""Sets of coalitions, as bool arrays [coalitions, players], and the weights that turn their values into Shapley values.

The arrays are cached and read-only: every row of every job is asked with the same object.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from workers.questions import Floats

Coalitions = NDArray[np.bool_]


@lru_cache(maxsize=32)
def all_but_one(players: int) -> Coalitions:
    """Coalition i lacks player i only, [players, players]."""
    return frozen(~np.eye(players, dtype=bool))


@lru_cache(maxsize=4)
def every_coalition(players: int) -> Coalitions:
    """All coalitions but the empty and the grand one, [2**players - 2, players]; row k - 1 holds the bits of k."""
    numbers = np.arange(1, 2**players - 1)[:, None]
    return frozen((numbers >> np.arange(players)) % 2 == 1)


@lru_cache(maxsize=4)
def every_weight(players: int) -> Floats:
    """`shapley_weights` of `every_coalition`."""
    return frozen(shapley_weights(every_coalition(players)))


def shapley_weights(coalitions: Coalitions) -> Floats:
    """Weight of v(S) in the Shapley value of each player, [coalitions, players], for coalitions that are not empty.

    (s-1)! (n-s)! / n! when the player is in S (size s), else -s! (n-s-1)! / n!   (Shapley, 1953).
    """
    n, s = coalitions.shape[1], coalitions.sum(axis=1, dtype=np.float64)
    joined = np.exp(gammaln(s) + gammaln(n - s + 1) - gammaln(n + 1))
    absent = joined * s / np.maximum(n - s, 1)  # nobody is absent where n - s is 0
    return np.asarray(np.where(coalitions, joined[:, None], -absent[:, None]))


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """The array, made read-only: cached arrays are shared by every job of the process."""
    array.setflags(write=False)
    return array
