"""Paired leverage-score sampling without replacement (Musco & Witter, "Leverage SHAP", ICLR 2025).

A coalition S is drawn together with its complement. The leverage score of a coalition of size s is proportional to
1 / C(n, s), so every size gets the same share of the budget until its coalitions are used up; here the shares are met exactly
(stratified), and within a size coalitions are drawn uniformly. The sequence of a seed is nested: a larger budget keeps its
beginning, so values already known are used again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from math import comb

import numpy as np
from numpy.typing import NDArray

from workers.coalitions import Coalitions, frozen
from workers.draws import generator
from workers.questions import Floats

LISTED = 20_000
"""Sizes with at most this many pairs are listed and shuffled, so that the last ones are found without searching."""


def pairs_in_all(players: int) -> int:
    """How many pairs {S, complement} there are, the pair of the empty and the grand coalition left out."""
    return int(2 ** (players - 1) - 1)


def leverage_pairs(players: int, count: int, seed: int) -> Coalitions:
    """The first `count` pairs of the seed's sequence, by their smaller coalition, bool [count, players]."""
    drawn = {size: _of_size(players, size, seed) for size in range(1, players // 2 + 1)}
    sequence = [next(drawn[size]) for size in _sizes(players, count, seed)]
    return frozen(np.array(sequence, dtype=bool).reshape(count, players))


def inclusion(pairs: Coalitions) -> Floats:
    """Share of each pair's size that has been drawn, [pairs]; 1 where that size is used up."""
    sizes = pairs.sum(axis=1)
    drawn = np.bincount(sizes, minlength=pairs.shape[1] + 1)
    return np.array([drawn[size] / _pairs_of_size(pairs.shape[1], int(size)) for size in sizes], dtype=np.float64)


def _pairs_of_size(players: int, size: int) -> int:
    """Pairs whose smaller coalition has `size` players; with half of the players, both coalitions have that size."""
    return comb(players, size) // (2 if 2 * size == players else 1)


def _sizes(players: int, count: int, seed: int) -> Iterator[int]:
    """Sizes 1 .. players // 2 in a sequence that gives each its share, until it is used up."""
    sizes = np.arange(1, players // 2 + 1)
    share = np.where(2 * sizes == players, 0.5, 1.0)
    left = [_pairs_of_size(players, int(size)) for size in sizes]
    turn = generator(seed, "pairs/sizes").random(len(sizes)) / share  # whose turn it is; random, so that no size leads
    for _ in range(count):
        k = int(turn.argmin())
        left[k] -= 1
        turn[k] = turn[k] + 1 / share[k] if left[k] else np.inf
        yield k + 1


def _of_size(players: int, size: int, seed: int) -> Iterator[NDArray[np.bool_]]:
    """All coalitions of a size, each once, in random order; of a pair of equal sizes the one with player 0."""
    random = generator(seed, f"pairs/{players}/{size}")
    halves = 2 * size == players
    if _pairs_of_size(players, size) <= LISTED:
        listed = [c for c in itertools.combinations(range(players), size) if not halves or c[0] == 0]
        for place in random.permutation(len(listed)):
            yield _mask(players, list(listed[place]))
    seen: set[bytes] = set()
    while True:
        mask = _mask(players, random.permutation(players)[:size])
        mask = ~mask if halves and not mask[0] else mask
        if mask.tobytes() not in seen:
            seen.add(mask.tobytes())
            yield mask


def _mask(players: int, members: list[int] | NDArray[np.int64]) -> NDArray[np.bool_]:
    mask = np.zeros(players, dtype=bool)
    mask[members] = True
    return mask
