"""Directions of concepts in a layer, and whether the score cares for them (TCAV).

A direction separates a concept's activations from random ones: ridge regression on labels of +1 and -1, solved in the space of
the rows, so that a layer may be as large as it likes. Only products of activations are needed:

    c = (K + lambda I)^-1 y,  direction v = sum_i c_i a_i / |sum_i c_i a_i|,  K = centred A A'

"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from workers.questions import Floats

RIDGE = 0.1
"""Times the mean eigenvalue of the activations' products: what many more elements than rows need to be held back by."""
OPPONENTS = 10
"""Most random sets that a random set is compared with, where its own sensitivity is measured."""
NOTHING = 1e-12


@dataclass(frozen=True, eq=False)
class Direction:
    """A fitted direction. `rows`, `weights`: it is the weighted sum of these rows' activations, of length 1.

    `accuracy`: the share of rows that are told apart when each is left out of the fit.
    """

    rows: NDArray[np.int64]
    weights: Floats
    accuracy: float


@dataclass(frozen=True, eq=False)
class Tested:
    """A concept's scores against each random set, and how they differ from what random sets score against each other.

    `sensitivity`: the mean derivative along the concept's direction, per unit of activation. `p_score`: two-sided, by Welch's
    t-test. `p_sensitivity`: two-sided, of one value against the random sets' own.
    """

    scores: Floats
    sensitivity: float
    accuracy: float
    p_score: float
    p_sensitivity: float
    direction: Floats


@dataclass(frozen=True, eq=False)
class Chance:
    """What random sets give against each other: a score each, and a sensitivity each."""

    scores: Floats
    sensitivities: Floats


class Concepts:
    """Activations of concept and random rows [rows, elements], and slopes of the score at the examples [examples, elements]."""

    def __init__(self, activations: Floats, slopes: Floats) -> None:
        self._activations = activations
        self._products = activations @ activations.T
        self._slopes = slopes @ activations.T

    def direction(self, concept: Sequence[int], against: Sequence[int]) -> Direction:
        """From the rows of one set towards those of the other."""
        rows = np.array([*concept, *against])
        products = self._products[np.ix_(rows, rows)]
        labels = np.where(np.arange(len(rows)) < len(concept), 1.0, -1.0)
        centred = products - products.mean(0) - products.mean(1)[:, None] + products.mean()
        ridge = RIDGE * max(np.trace(centred) / len(rows), NOTHING)
        inverse = np.linalg.inv(centred + ridge * np.eye(len(rows)))
        weights = inverse @ (labels - labels.mean())
        weights = weights - weights.mean()
        length = math.sqrt(max(float(weights @ products @ weights), 0.0))
        return Direction(rows, weights / length if length > NOTHING else weights * 0, _left_out(centred @ inverse, labels))

    def derivatives(self, direction: Direction) -> Floats:
        """The score's derivative along a direction, at each example."""
        return np.asarray(self._slopes[:, direction.rows] @ direction.weights)

    def test(self, concept: Sequence[int], randoms: Sequence[Sequence[int]], chance: Chance) -> Tested:
        """A concept against each random set."""
        found = [self.direction(concept, random) for random in randoms]
        slopes = [self.derivatives(direction) for direction in found]
        scores = np.array([share_positive(slope) for slope in slopes])
        sensitivity = float(np.mean([slope.mean() for slope in slopes]))
        return Tested(
            scores,
            sensitivity,
            float(np.mean([direction.accuracy for direction in found])),
            welch(scores, chance.scores),
            one_against(sensitivity, chance.sensitivities),
            np.mean([direction.weights @ self._activations[direction.rows] for direction in found], axis=0),
        )

    def chance(self, randoms: Sequence[Sequence[int]]) -> Chance:
        """Each random set against the next one; its sensitivity against several."""
        scores, sensitivities = [], []
        count = len(randoms)
        for number, random in enumerate(randoms):
            others = [randoms[(number + step) % count] for step in range(1, min(count - 1, OPPONENTS) + 1)]
            slopes = [self.derivatives(self.direction(random, other)) for other in others]
            scores.append(share_positive(slopes[0]))
            sensitivities.append(float(np.mean([slope.mean() for slope in slopes])))
        return Chance(np.array(scores), np.array(sensitivities))

    @cached_property
    def insensitive(self) -> bool:
        """Whether the score does not react to the layer at all."""
        return bool((np.abs(self._slopes) <= NOTHING).all())


def share_positive(slopes: Floats) -> float:
    """The TCAV score."""
    return float((slopes > 0).mean())


def welch(one: Floats, other: Floats) -> float:
    """The two-sided p-value that two samples have one mean, their variances being what they are."""
    parts = np.array([one.var(ddof=1) / len(one), other.var(ddof=1) / len(other)])
    difference = abs(float(one.mean() - other.mean()))
    if parts.sum() <= NOTHING:
        return 1.0 if difference <= NOTHING else 0.0
    freedom = parts.sum() ** 2 / (parts[0] ** 2 / (len(one) - 1) + parts[1] ** 2 / (len(other) - 1))
    return float(2 * student.sf(difference / math.sqrt(parts.sum()), freedom))


def one_against(value: float, sample: Floats) -> float:
    """The two-sided p-value that a value is one more of a sample (Crawford & Howell, 1998)."""
    deviation = float(sample.std(ddof=1)) * math.sqrt(1 + 1 / len(sample))
    difference = abs(value - float(sample.mean()))
    if deviation <= NOTHING:
        return 1.0 if difference <= NOTHING else 0.0
    return float(2 * student.sf(difference / deviation, len(sample) - 1))


def _left_out(smoother: Floats, labels: Floats) -> float:
    """The share of rows whose sign a fit without them gets right: in closed form for a linear smoother."""
    told = labels.mean() + smoother @ (labels - labels.mean())
    leverage = np.clip(np.diag(smoother) + 1 / len(labels), None, 1 - 1e-9)
    alone = labels - (labels - told) / (1 - leverage)
    return float((np.sign(alone) == labels).mean())
