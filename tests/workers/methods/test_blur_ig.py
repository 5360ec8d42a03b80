from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from by_hand import Solved, solve
from scipy.ndimage import gaussian_filter

from workers.game import InputView
from workers.methods import blur_ig

X = np.random.default_rng(4).random((1, 12, 10))
WEIGHTS = np.random.default_rng(5).normal(size=(1, 12, 10))
VIEW = (InputView("input", (1, 12, 10), "image", "NCHW"),)


def linear(points: np.ndarray) -> np.ndarray:
    return (points * WEIGHTS).sum(axis=(1, 2, 3))


def curved(points: np.ndarray) -> np.ndarray:
    return np.tanh(linear(points))


def slope(points: np.ndarray) -> np.ndarray:
    return (1 - np.tanh(linear(points)) ** 2)[:, None, None, None] * WEIGHTS


def run(f: object, gradient: object, **params: object) -> Solved:
    return solve(blur_ig, f, X, gradient=gradient, params=params, inputs=VIEW)  # type: ignore[arg-type]


def blurred() -> np.ndarray:
    return gaussian_filter(X, [0, 2.4, 2.4], mode="nearest")


def test_a_linear_model_by_hand() -> None:
    """w * (x - blurred x), with the blur's standard deviation a fifth of the longer side, whatever the way."""
    solved = run(linear, lambda points: np.broadcast_to(WEIGHTS, points.shape))
    np.testing.assert_allclose(solved.phi, WEIGHTS * (X - blurred()), atol=1e-12)
    assert solved.solution.converged


def test_sums_to_the_difference_from_the_blurred_picture() -> None:
    solved = run(curved, slope, tolerance=1e-3, max_steps=512)
    difference = curved(X[None])[0] - curved(blurred()[None])[0]
    assert solved.phi.sum() == pytest.approx(difference, rel=1e-3)
    assert solved.solution.converged
    assert solved.evaluations <= 512


def test_one_way_without_a_tolerance_and_its_questions_are_small() -> None:
    solved = run(curved, slope, tolerance=0, max_steps=50)
    assert solved.evaluations == 50
    assert solved.solution.converged is None
    assert max(question.evaluations for question in solved.asked) <= blur_ig.AT_ONCE


def test_the_sum_by_its_definition() -> None:
    steps = 9
    way = [gaussian_filter(X, [0, s, s], mode="nearest") if s else X for s in np.linspace(2.4, 0, steps + 1)]
    expected = sum(slope((a + b)[None] / 2)[0] * (b - a) for a, b in pairwise(way))
    np.testing.assert_allclose(run(curved, slope, tolerance=0, max_steps=steps + 1).phi, expected, atol=1e-12)
