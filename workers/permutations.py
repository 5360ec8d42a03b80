"""Orders in which players join, each followed by its reverse, and the coalitions that a walk along them passes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from workers.coalitions import Coalitions, frozen
from workers.draws import generator
from workers.hierarchy import Tree, consistent_order, leaves
from workers.questions import Floats


@dataclass(frozen=True, eq=False)
class Walks:
    """Pairs of an order and its reverse. `orders`: [pairs, 2, players], the player that joins at each step.

    `coalitions`: what they pass between the empty and the grand coalition, bool [pairs * 2 * (players - 1), players].
    """

    orders: NDArray[np.int64]
    coalitions: Coalitions

    def shares(self, values: Floats, empty: float, grand: float) -> Floats:
        """What each player changes when it joins, as the mean of a pair's walks, [pairs, players]; rows sum to grand - empty.

        `values`: of the coalitions.
        """
        pairs, _, players = self.orders.shape
        between = values.reshape(pairs, 2, players - 1)
        ends = [np.full((pairs, 2, 1), value) for value in (empty, grand)]
        steps = np.diff(np.concatenate([ends[0], between, ends[1]], axis=2), axis=2)
        joined = np.empty_like(steps)
        np.put_along_axis(joined, self.orders, steps, axis=2)
        return np.asarray(joined.mean(axis=1))


@lru_cache(maxsize=32)
def walks(players: int, first: int, last: int, seed: int) -> Walks:
    """Pairs `first` to `last` of the seed's sequence."""
    random = generator(seed, f"permutations/{players}")
    return along(np.array([random.permutation(players) for _ in range(last)][first:]))


@lru_cache(maxsize=32)
def consistent_walks(tree: Tree, first: int, last: int, seed: int) -> Walks:
    """The same, of orders that keep together what the tree holds together."""
    random = generator(seed, f"consistent/{1 + max(leaves(tree))}")
    return along(np.array([consistent_order(tree, random) for _ in range(last)][first:]))


def along(drawn: NDArray[np.int64]) -> Walks:
    """The walks along orders, [pairs, players], and their reverses."""
    orders = np.stack([drawn, drawn[:, ::-1]], axis=1)
    arrival = np.argsort(orders, axis=2)  # step at which each player joins
    sizes = np.arange(1, drawn.shape[1])[:, None]
    coalitions = (arrival[:, :, None, :] < sizes).reshape(-1, drawn.shape[1])
    return Walks(frozen(orders), frozen(coalitions))
