"""The conditional value function by nearest neighbours: absent features are filled from the background rows most like x.

    v(S) = mean over the k rows b nearest to x in the features of S of f(x_S, b_rest)

Distances are Euclidean, each feature scaled by its spread over the background. Rows at the same distance go in an order that
is drawn once by the job's seed, so that a sorted background does no harm. The baseline's output, v of the empty coalition, is
the mean over the whole background, as in the marginal function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.centroids import spread
from workers.draws import generator
from workers.game import Partition
from workers.questions import Floats

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Of one row. `away`: squared distance to each background row in each player's features, [players, backgrounds]."""

    count: int
    away: Floats
    order: NDArray[np.int64]

    def of(self, coalitions: NDArray[Any]) -> NDArray[np.int64]:
        """The rows that stand for what is absent, [coalitions, count]."""
        away = coalitions.astype(np.float64) @ self.away[:, self.order]
        return self.order[np.argsort(away, axis=1, kind="stable")[:, : self.count]]

    def moved(self, instance: Arrays, backgrounds: Arrays, partition: Partition) -> Neighbours:
        """Those of the row when it has moved; rows at the same distance go in the same order."""
        return replace(self, away=_away(instance, backgrounds, partition))


def neighbours_of(count: int, instance: Arrays, backgrounds: Arrays, partition: Partition, seed: int) -> Neighbours:
    """A row's neighbours. `instance`: input -> [*row]; `backgrounds`: input -> [backgrounds, *row]."""
    away = _away(instance, backgrounds, partition)
    rows = away.shape[1]
    return Neighbours(min(count, rows), away, generator(seed, "neighbours").permutation(rows))


def _away(instance: Arrays, backgrounds: Arrays, partition: Partition) -> Floats:
    rows = len(next(iter(backgrounds.values())))
    away = np.zeros((partition.players, rows))
    for name, labels in partition.labels.items():
        around = backgrounds[name].reshape(rows, -1).astype(np.float64)
        squares = ((around - instance[name].reshape(-1)) / spread(around)) ** 2
        flat = labels.reshape(-1)
        np.add.at(away, flat[flat >= 0], squares[:, flat >= 0].T)
    return away
