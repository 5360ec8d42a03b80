"""Directions and tests of concepts, against the plain way of computing each, and how often chance is called a concept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import ttest_ind

from workers.concepts import RIDGE, Concepts, one_against, welch

RNG = np.random.Generator(np.random.Philox(11))


@pytest.mark.parametrize("elements", [3, 40])
def test_a_direction_is_that_of_ridge_regression(elements: int) -> None:
    """In the primal: (X'X + lambda I)^-1 X'y on centred activations, and leaving out row by row by fitting anew."""
    activations = RNG.normal(size=(14, elements))
    activations[:6, 0] += 1.0
    found = Concepts(activations, RNG.normal(size=(5, elements))).direction(range(6), range(6, 14))
    labels = np.where(np.arange(14) < 6, 1.0, -1.0)
    centred = activations - activations.mean(0)
    ridge = RIDGE * np.trace(centred @ centred.T) / 14

    def fit(x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], float]:
        middle = x.mean(0)
        weights = np.linalg.solve((x - middle).T @ (x - middle) + ridge * np.eye(elements), (x - middle).T @ (y - y.mean()))
        return weights, float(y.mean() - middle @ weights)

    weights, _ = fit(activations, labels)
    np.testing.assert_allclose(found.weights @ activations[found.rows], weights / np.linalg.norm(weights), atol=1e-9)
    right = 0
    for left_out in range(14):
        rest = np.arange(14) != left_out
        alone, offset = fit(activations[rest], labels[rest])
        right += np.sign(activations[left_out] @ alone + offset) == labels[left_out]
    assert found.accuracy == pytest.approx(right / 14)


def test_derivatives_are_products_with_the_slopes() -> None:
    activations, slopes = RNG.normal(size=(12, 7)), RNG.normal(size=(4, 7))
    concepts = Concepts(activations, slopes)
    found = concepts.direction(range(6), range(6, 12))
    np.testing.assert_allclose(concepts.derivatives(found), slopes @ (found.weights @ activations[found.rows]), atol=1e-12)


def test_rows_that_are_all_alike_have_no_direction() -> None:
    concepts = Concepts(np.ones((10, 4)), np.ones((3, 4)))
    assert concepts.derivatives(concepts.direction(range(5), range(5, 10))).tolist() == [0, 0, 0]


def test_welch_against_scipy() -> None:
    one, other = RNG.uniform(size=9), RNG.uniform(0.2, 1.5, size=6)
    assert welch(one, other) == pytest.approx(float(ttest_ind(one, other, equal_var=False).pvalue))
    assert welch(np.ones(4), np.ones(4)) == 1.0
    assert welch(np.ones(4), np.zeros(4)) == 0.0


def test_one_value_against_a_sample() -> None:
    """By simulation: the p-value of one more draw is uniform."""
    draws = RNG.normal(size=(4000, 8))
    values = np.array([one_against(draw[0], draw[1:]) for draw in draws])
    assert np.mean(values < 0.05) == pytest.approx(0.05, abs=0.015)
    assert one_against(0.0, np.zeros(3)) == 1.0


@pytest.mark.parametrize("straight", [True, False])
@pytest.mark.parametrize(("shift", "least", "most"), [("ignored", 0.0, 0.1), ("none", 0.0, 0.1), ("used", 0.85, 1.0)])
def test_how_often_a_concept_is_called_significant(straight: bool, shift: str, least: float, most: float) -> None:
    """Eighty draws each. The t-test of the scores alone calls more than one in ten of the concepts that mean nothing."""
    called, by_score = [], []
    for seed in range(80):
        rng = np.random.Generator(np.random.Philox(seed))
        axes = np.linalg.qr(rng.normal(size=(16, 16)))[0]
        examples = rng.normal(size=(20, 16))
        bend = 1.0 if straight else 1 - np.tanh(examples @ axes[0])[:, None] ** 2
        slopes = bend * axes[0] + (0.5 * axes[1] if straight else 0.5 * np.sign(examples[:, :1]) * axes[1])
        moved = {"ignored": 3 * axes[2], "none": 0 * axes[2], "used": 3 * axes[0]}[shift]
        activations = np.concatenate([rng.normal(size=(12, 16)) + moved, rng.normal(size=(144, 16))])
        concepts = Concepts(activations, np.broadcast_to(slopes, (20, 16)))
        randoms = [range(12 * number, 12 * number + 12) for number in range(1, 13)]
        tested = concepts.test(range(12), randoms, concepts.chance(randoms))
        by_score.append(tested.p_score < 0.05)
        called.append(max(tested.p_score, tested.p_sensitivity) < 0.05)
    assert least <= np.mean(called) <= most
    assert shift == "used" or np.mean(by_score) > 0.1
