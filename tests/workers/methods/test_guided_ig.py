from __future__ import annotations

import numpy as np
import pytest
from by_hand import Solved, solve

from workers.methods import guided_ig, integrated_gradients

WEIGHTS = np.random.default_rng(2).normal(size=(6, 6))
X = np.array([1.0, -2.0, 0.5, 0.0, 3.0, 1.5])


def f(points: np.ndarray) -> np.ndarray:
    return np.tanh(points @ WEIGHTS).sum(axis=1)


def gradient(points: np.ndarray) -> np.ndarray:
    return (1 - np.tanh(points @ WEIGHTS) ** 2) @ WEIGHTS.T


def run(**params: object) -> Solved:
    return solve(guided_ig, f, X, gradient=gradient, params=params)


def test_complete_and_better_with_more_steps() -> None:
    gaps = [abs(run(max_steps=steps).phi.sum() - (f(X[None])[0] - f(0 * X[None])[0])) for steps in (16, 64, 256)]
    assert gaps[0] > gaps[1] > gaps[2]
    solved = run(max_steps=256)
    assert solved.solution.error is not None
    assert solved.solution.error < 0.01
    assert solved.solution.converged
    assert solved.evaluations == 256 == guided_ig.cost(6, {"max_steps": 256})


def test_all_at_once_is_the_straight_way() -> None:
    straight = solve(integrated_gradients, f, X, gradient=gradient, params={"tolerance": 0.0, "max_steps": 512}).phi
    np.testing.assert_allclose(run(fraction=1.0, max_steps=2000).phi, straight, atol=1e-4)


def test_stays_in_its_band_moves_evenly_and_the_flattest_first() -> None:
    solved, band, steps = run(max_steps=21, band=0.2), 0.2, 20
    way = [np.asarray(question.points["input"][0]) for question in solved.asked]  # type: ignore[union-attr]
    for step, point in enumerate(way):
        done = point[X != 0] / X[X != 0]
        assert done.min() >= step / steps - band - 1e-9
        assert done.max() <= step / steps + band + 1e-9
        assert np.abs(X - point).sum() <= np.abs(X).sum() * (1 - step / steps) + 1e-9
    np.testing.assert_array_equal(way[-1], X)
    moved = np.flatnonzero(way[1])
    slopes = np.abs(gradient(way[0][None])[0])
    assert slopes[moved].max() <= np.sort(slopes[X != 0])[len(moved) - 1]


def test_a_background_is_walked_from_each_of_its_rows() -> None:
    around = np.array([np.zeros(6), np.ones(6), -np.ones(6)])
    both = solve(guided_ig, f, X, around, gradient=gradient, params={"max_steps": 64}).phi
    each = [solve(guided_ig, f, X, row, gradient=gradient, params={"max_steps": 64}).phi for row in around]
    np.testing.assert_allclose(both, np.mean(each, axis=0), atol=1e-12)


def test_what_does_not_add_up_is_said() -> None:
    def kink(points: np.ndarray) -> np.ndarray:
        return np.maximum(100 * (points[:, 0] - 0.9), 0)

    solved = solve(guided_ig, kink, [1.0], gradient=lambda p: 100.0 * (p > 0.9), params={"max_steps": 4})
    assert solved.solution.converged is False
    assert "max_steps" in solved.solution.notes[0]


def test_an_element_at_its_baseline_has_nothing() -> None:
    assert run().phi[3] == pytest.approx(0.0)
