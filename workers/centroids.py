"""A background set summarised: k-means centroids, each weighing as many rows as it stands for.

k-means++ (Arthur & Vassilvitskii, 2007) and Lloyd's iterations, on features scaled by their spread; drawn by the job's seed.
"""

from __future__ import annotations

import numpy as np

from workers.draws import generator
from workers.questions import Floats

ITERATIONS = 100
ROUNDING = 1e-12
"""A spread below this share of the largest value is none: the standard deviation of a constant 0.1 is 1e-17, and not 0."""


def spread(rows: Floats) -> Floats:
    """The standard deviation of each feature, infinite where it does not vary and so tells no rows apart, [features]."""
    found = rows.std(axis=0)
    return np.where(found > ROUNDING * np.abs(rows).max(axis=0), found, np.inf)


def centroids(rows: Floats, count: int, seed: int) -> tuple[Floats, Floats]:
    """At most `count` centroids [centroids, features] of rows [rows, features], and the share of the rows that each is for."""
    points = (rows - rows.mean(axis=0)) / spread(rows)
    centres = _chosen(points, count, seed)
    nearest = _nearest(points, centres)
    for _ in range(ITERATIONS):
        moved = np.stack([points[nearest == number].mean(axis=0) for number in np.unique(nearest)])
        again = _nearest(points, moved)
        settled = len(moved) == len(centres) and np.array_equal(again, nearest)
        centres, nearest = moved, again
        if settled:
            break
    used = np.unique(nearest)
    parts = [rows[nearest == number] for number in used]
    return np.stack([part.mean(axis=0) for part in parts]), np.array([len(part) / len(rows) for part in parts])


def _chosen(points: Floats, count: int, seed: int) -> Floats:
    """Rows to begin with: each the likelier the farther it is from those before it, none twice."""
    random = generator(seed, "centroids")
    chosen = [int(random.integers(len(points)))]
    away = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < count and away.sum() > 0:
        chosen.append(int(random.choice(len(points), p=away / away.sum())))
        away = np.minimum(away, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    return points[chosen]


def _nearest(points: Floats, centres: Floats) -> Floats:
    """The number of the centre nearest to each point."""
    squares = (centres**2).sum(axis=1) - 2 * points @ centres.T
    return np.asarray(squares.argmin(axis=1))
