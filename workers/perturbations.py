"""Which players a perturbation takes away: sets of a few sizes, the same for all rows of a seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.coalitions import Coalitions, frozen
from workers.draws import generator

SHARES = (0.25, 0.5, 0.75)
"""Sizes of the sets, as shares of all players."""


@dataclass(frozen=True, eq=False)
class Perturbations:
    """`absent`: bool [perturbations, players]. `sizes`: of each, int64 [perturbations]. `present`: the rest."""

    absent: Coalitions
    sizes: NDArray[np.int64]
    present: Coalitions


@lru_cache(maxsize=4)
def perturbations(players: int, samples: int, seed: int) -> Perturbations:
    """About `samples` sets of players, as many of each size; every set of a size once where there are no more."""
    sizes = sorted({min(players - 1, max(1, round(share * players))) for share in SHARES})
    rng = generator(seed, "checks/perturbations")
    absent = np.concatenate([_of_size(players, size, samples // len(sizes), rng) for size in sizes])
    return Perturbations(frozen(absent), frozen(absent.sum(axis=1)), frozen(~absent))


def _of_size(players: int, size: int, most: int, rng: Any) -> Coalitions:
    if comb(players, size) <= most:
        chosen = np.array(list(combinations(range(players), size)))
    else:
        chosen = rng.permuted(np.tile(np.arange(players), (max(most, 1), 1)), axis=1)[:, :size]
    absent = np.zeros((len(chosen), players), dtype=bool)
    np.put_along_axis(absent, chosen, values=True, axis=1)
    return absent
