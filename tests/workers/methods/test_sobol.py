from __future__ import annotations

import numpy as np
import pytest
from by_hand import solve

from workers.methods import sobol

WEIGHTS = np.array([1.0, 2.0, -3.0, 0.0])


def linear(points: np.ndarray) -> np.ndarray:
    return points @ WEIGHTS


def product(points: np.ndarray) -> np.ndarray:
    return points[:, 0] * points[:, 1]


@pytest.mark.parametrize("order", ["total", "first"])
def test_a_sum_has_no_interactions(order: str) -> None:
    """Var of w z is w^2 / 12: total and first order are w_i^2 / sum of w^2."""
    phi = solve(sobol, linear, np.ones(4), params={"samples": 6146, "order": order}).phi
    np.testing.assert_allclose(phi, WEIGHTS**2 / 14, atol=0.01)


@pytest.mark.parametrize(("order", "expected"), [("total", 4 / 7), ("first", 3 / 7)])
def test_a_product_by_hand(order: str, expected: float) -> None:
    """Var(z1 z2) = 1/9 - 1/16 = 7/144. Total: E[Var(. | z2)] = 1/12 * 1/3 = 4/144. First: Var(z1 / 2) = 1/48 = 3/144."""
    phi = solve(sobol, product, np.ones(3), params={"samples": 20_482, "order": order}).phi
    np.testing.assert_allclose(phi, [expected, expected, 0], atol=0.01)


def test_intervals_hold_the_truth() -> None:
    hits = []
    for seed in range(60):
        solved = solve(sobol, product, np.ones(3), params={"samples": 1000}, seed=seed)
        assert solved.solution.standard_error is not None
        hits.append(np.abs(solved.phi - [4 / 7, 4 / 7, 0]) <= 1.96 * np.asarray(solved.solution.standard_error))
    assert float(np.mean(hits)) >= 0.9


def test_within_budget_whatever_the_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = solve(sobol, linear, np.ones(4), params={"samples": 500})
    assert whole.evaluations == sobol.cost(4, {"samples": 500}) <= 498
    monkeypatch.setattr(sobol, "MOST_CELLS", 1)
    apart = solve(sobol, linear, np.ones(4), params={"samples": 500})
    np.testing.assert_array_equal(apart.phi, whole.phi)
    assert len(apart.asked) == 83


def test_what_cannot_be_said_is_said() -> None:
    short = solve(sobol, linear, np.ones(4), params={"samples": 8}).solution
    assert short.converged is False
    assert "Raise samples to 50" in short.notes[0]
    flat = solve(sobol, lambda points: np.full(len(points), 0.1), np.ones(4), params={"samples": 100}).solution
    assert flat.per_player is not None
    assert not flat.per_player.any()
    assert "same behind every mask" in flat.notes[0]
