"""The variance of gradients over a question's points, on the device.

Squares are summed about the first point's gradient: what is the same at every point then cancels exactly.
"""

from __future__ import annotations

import numpy as np

from workers.plugins import Array
from workers.points import Row, baselines_in, per_point
from workers.questions import Floats, Gradients
from workers.sums import Points, Sums, weights_of

AWAY, SQUARES = "away", "squares"
EACH = "each"
"""A text's gradients per point and token: their variance is known once they are summed over its units."""


def add_spread(sums: Sums, row: Row, question: Gradients, points: Points, gradients: dict[str, Array]) -> None:
    """Add what the variances are made of, in single precision at least."""
    weights = weights_of(row, question, points)
    for name, gradient in gradients.items():
        away = gradient - sums.first.setdefault(name, gradient[0])
        weighted = away * per_point(row, name, weights, np.float32)
        sums.add(AWAY, name, weighted.sum(0))
        sums.add(SQUARES, name, (weighted * away).sum(0))


def spread_of(row: Row, question: Gradients, found: dict[str, dict[str, Floats]]) -> dict[str, Floats]:
    """The variances, by input, once every point is in."""
    squares, away = found.get(SQUARES, {}), found.get(AWAY, {})
    variances = {name: np.maximum(total - away[name] ** 2, 0) for name, total in squares.items()}
    for name, tokens in found.get(EACH, {}).items():
        units = np.stack([row.partition.texts[name].summed(point) for point in tokens])
        weights = np.repeat(question.weights, baselines_in(row, question))
        about = units - np.average(units, axis=0, weights=weights)
        variances[name] = np.average(about**2, axis=0, weights=weights)
    return variances
