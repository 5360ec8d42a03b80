from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from by_hand import Solved, solve
from references import shap
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor

from workers import walking
from workers.methods import exact_shapley, permutation_shapley
from workers.permutations import walks


@cache
def trees(row: int) -> np.ndarray:
    """Values of all coalitions of a row's ten features in a gradient-boosted model, the rest at its mean."""
    X, y = load_diabetes(return_X_y=True)
    model = GradientBoostingRegressor(n_estimators=40, max_depth=4, random_state=0).fit(X, y)
    present = (np.arange(1024)[:, None] >> np.arange(10)) % 2 == 1
    return model.predict(np.where(present, X[row], X.mean(axis=0)))


def value(row: int) -> Callable[[np.ndarray], np.ndarray]:
    """The same as a function of 0/1 points."""
    return lambda points: trees(row)[(points > 0.5) @ (1 << np.arange(10))]


def run(row: int, samples: int = 2048, tolerance: float = 0.0, seed: int = 0) -> Solved:
    params = {"samples": samples, "tolerance": tolerance}
    return solve(permutation_shapley, value(row), np.ones(10), params=params, seed=seed)


@cache
def truth(row: int) -> np.ndarray:
    return solve(exact_shapley, value(row), np.ones(10)).phi


@pytest.mark.parametrize("samples", [20, 41, 80, 500, 1000])
def test_complete_and_within_budget(samples: int) -> None:
    difference = trees(3)[-1] - trees(3)[0]
    solved = run(3, samples)
    assert solved.phi.sum() == pytest.approx(difference, abs=1e-10)
    assert solved.evaluations + 2 <= samples
    assert solved.evaluations == permutation_shapley.cost(10, {"samples": samples})


def test_the_estimate_is_the_mean_over_the_orders_that_were_walked() -> None:
    solved, plan = run(0, 80), walks(10, 0, 4, 0)
    expected = np.zeros(10)
    for order in plan.orders.reshape(8, 10):
        present = 0
        for player in order:
            expected[player] += (trees(0)[present | 1 << player] - trees(0)[present]) / 8
            present |= 1 << player
    np.testing.assert_allclose(solved.phi, expected, atol=1e-9)
    np.testing.assert_array_equal(plan.orders[:, 0], plan.orders[:, 1, ::-1])


def test_no_farther_from_the_truth_than_shaps_own() -> None:
    def error(phi: np.ndarray, row: int) -> float:
        return float(((phi - truth(row)) ** 2).sum() / (truth(row) ** 2).sum())

    ours, theirs = [], []
    for row in range(5):
        for seed in range(6):
            ours.append(error(run(row, 80, seed=seed).phi, row))
            explainer = shap.PermutationExplainer(value(row), np.zeros((1, 10)), seed=seed)
            theirs.append(error(explainer(np.ones((1, 10)), max_evals=80, silent=True).values[0], row))
    assert np.mean(ours) <= 1.2 * np.mean(theirs)


def test_pairwise_games_are_exact_in_one_pair() -> None:
    rng = np.random.Generator(np.random.PCG64(2))
    w, q = rng.normal(size=30), np.triu(rng.normal(size=(30, 30)), 1)
    solved = solve(
        permutation_shapley,
        lambda z: z @ w + np.einsum("ki,ij,kj->k", z, q, z),
        np.ones(30),
        params={"samples": 60, "tolerance": 0.0},
    )
    np.testing.assert_allclose(solved.phi, w + (q + q.T).sum(axis=1) / 2, atol=1e-10)
    assert solved.solution.standard_error is None  # one pair says nothing of the spread
    assert solved.solution.converged is False


def test_intervals_cover_the_truth() -> None:
    for samples, tolerance in ((60, 0.0), (160, 0.0), (2048, 0.05)):
        inside = []
        for seed in range(25):
            for row in range(4):
                solved = run(row, samples, tolerance, seed)
                inside.append(np.abs(solved.phi - truth(row)) <= 1.96 * solved.solution.standard_error + 1e-12)
        assert 0.90 <= np.mean(inside) <= 0.985, (samples, np.mean(inside))


def test_stops_at_its_tolerance_and_says_so() -> None:
    loose, tight = run(2, tolerance=0.2), run(2, tolerance=0.03)
    assert loose.evaluations < tight.evaluations <= 2046
    for solved, tolerance in ((loose, 0.2), (tight, 0.03)):
        assert solved.solution.converged
        assert solved.solution.error <= tolerance
    short = run(2, samples=200, tolerance=0.001)
    assert short.solution.converged is False
    assert "raise samples" in short.solution.notes[0]


def test_all_coalitions_when_they_cost_no_more() -> None:
    solved = run(1, 2048)
    np.testing.assert_allclose(solved.phi, truth(1), atol=1e-9)
    assert solved.evaluations == 1022
    assert not solved.solution.standard_error.any()


def test_later_stages_go_on_in_the_same_sequence() -> None:
    np.testing.assert_array_equal(walks(12, 0, 9, 3).orders[4:], walks(12, 4, 9, 3).orders)
    assert not np.array_equal(walks(12, 0, 9, 3).orders, walks(12, 0, 9, 4).orders)


def test_large_stages_are_asked_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(0, 500)
    monkeypatch.setattr(walking, "MOST_CELLS", 1000)
    parts = run(0, 500)
    assert len(parts.asked) > len(whole.asked)
    np.testing.assert_allclose(parts.phi, whole.phi, atol=1e-12)
    np.testing.assert_allclose(parts.solution.standard_error, whole.solution.standard_error, atol=1e-12)


def test_too_few_samples_are_admitted() -> None:
    solved = solve(permutation_shapley, lambda z: z.sum(axis=1), np.ones(100), params={"samples": 60})
    assert solved.solution.converged is False
    assert not solved.asked
    assert "Raise samples to 1600" in solved.solution.notes[0]
