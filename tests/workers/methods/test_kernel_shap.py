from __future__ import annotations

import itertools
import random
from functools import cache

import numpy as np
import pytest
import torch
from by_hand import Solved, solve
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor

from workers.methods import exact_shapley, kernel_shap


@cache
def trees() -> tuple[GradientBoostingRegressor, np.ndarray]:
    X, y = load_diabetes(return_X_y=True)
    return GradientBoostingRegressor(n_estimators=40, max_depth=4, random_state=0).fit(X, y), X


def run(row: int, samples: int = 2048, tolerance: float = 0.0, seed: int = 0) -> Solved:
    model, X = trees()
    return solve(
        kernel_shap, model.predict, X[row], X.mean(axis=0), params={"samples": samples, "tolerance": tolerance}, seed=seed
    )


@cache
def truth(row: int) -> np.ndarray:
    model, X = trees()
    return solve(exact_shapley, model.predict, X[row], X.mean(axis=0)).phi


def wide(players: int, samples: int, tolerance: float = 0.01) -> Solved:
    """A game of many players with pairwise interactions."""
    w = np.linspace(0, 1, players)
    return solve(
        kernel_shap,
        lambda z: z @ w + (z[:, :-1] * z[:, 1:]).sum(axis=1),
        np.ones(players),
        params={"samples": samples, "tolerance": tolerance},
    )


def test_exact_when_the_budget_reaches_every_coalition() -> None:
    solved = run(0, samples=1024)
    np.testing.assert_allclose(solved.phi, truth(0), atol=1e-9)
    assert solved.evaluations == 1022
    assert solved.solution.converged
    assert solved.solution.error == 0
    assert not solved.solution.standard_error.any()


def test_nearly_every_coalition_is_nearly_exact() -> None:
    """The trap of normal equations: errors that explode next to full enumeration."""
    for samples in (900, 1000, 1020):
        error = run(0, samples=samples).phi - truth(0)
        assert error @ error <= 1e-6 * (truth(0) @ truth(0))


def test_error_falls_with_the_budget() -> None:
    def mean_error(samples: int) -> float:
        errors = [(run(row, samples, seed=seed).phi - truth(row)) for row in range(5) for seed in range(4)]
        return float(np.mean([error @ error for error in errors]))

    errors = [mean_error(samples) for samples in (40, 80, 160, 320, 640)]
    assert all(later < earlier / 2 for earlier, later in itertools.pairwise(errors))


def test_published_error_at_eight_evaluations_per_feature_is_met() -> None:
    errors = []
    for row in range(10):
        for seed in range(5):
            off = run(row, 80, seed=seed).phi - truth(row)
            errors.append(off @ off / (truth(row) @ truth(row)))
    assert np.mean(errors) <= 0.0010  # half of what is published; more than kriging alone has


@pytest.mark.parametrize("samples", [4, 12, 41, 80, 500])
def test_complete_and_within_budget(samples: int) -> None:
    model, X = trees()
    difference = float(np.diff(model.predict(np.stack([X.mean(axis=0), X[3]])))[0])
    solved = run(3, samples)
    assert solved.phi.sum() == pytest.approx(difference, abs=1e-8)
    assert solved.evaluations + 2 <= samples
    assert solved.evaluations == kernel_shap.cost(10, {"samples": samples})


def test_seed_decides() -> None:
    np.testing.assert_array_equal(run(1, 80, seed=5).phi, run(1, 80, seed=5).phi)
    assert not np.array_equal(run(1, 80, seed=5).phi, run(1, 80, seed=6).phi)


def test_intervals_cover_the_truth() -> None:
    """95 % intervals, at fixed budgets and where the tolerance stopped: 90-98 %, give or take the luck of 25 plans."""
    for samples, tolerance in ((60, 0.0), (160, 0.0), (2048, 0.02)):
        inside = []
        for seed in range(25):
            for row in range(4):
                solved = run(row, samples, tolerance, seed)
                inside.append(np.abs(solved.phi - truth(row)) <= 1.96 * solved.solution.standard_error + 1e-12)
        assert 0.90 <= np.mean(inside) <= 0.98, (samples, np.mean(inside))


def test_stops_at_its_tolerance_and_says_so() -> None:
    loose, tight = run(2, tolerance=0.1), run(2, tolerance=0.01)
    assert loose.evaluations < tight.evaluations < 1022
    for solved, tolerance in ((loose, 0.1), (tight, 0.01)):
        assert solved.solution.converged
        assert solved.solution.error <= tolerance
        assert not solved.solution.notes
    short = run(2, samples=60, tolerance=0.001)
    assert short.solution.converged is False
    assert "raise samples" in short.solution.notes[0]


def test_error_figure_is_the_largest_standard_error_over_the_range() -> None:
    solved = run(2, samples=100).solution
    spread = max(solved.per_player.max(), 0) - min(solved.per_player.min(), 0)
    assert solved.error == pytest.approx(solved.standard_error.max() / spread)
    assert solved.converged is None  # no tolerance, nothing to converge to


def test_refinement_asks_nothing_twice() -> None:
    asked = np.concatenate([question.coalitions for question in run(2, tolerance=0.003).asked])
    assert len(run(2, tolerance=0.003).asked) > 1
    assert len(np.unique(asked, axis=0)) == len(asked)
    assert asked.sum(axis=1).min() > 0
    assert asked.sum(axis=1).max() < 10


def test_larger_budget_keeps_the_smaller_ones_coalitions() -> None:
    small, large = (run(0, samples).asked[0].coalitions for samples in (60, 300))
    np.testing.assert_array_equal(large[: len(small)], small)


def test_coalitions_come_with_their_complements() -> None:
    asked = run(0, 80).asked[0].coalitions
    np.testing.assert_array_equal(asked[0::2], ~asked[1::2])


def test_one_plan_serves_every_row() -> None:
    one, two = run(0, 80), run(1, 80)
    assert one.asked[0].coalitions is two.asked[0].coalitions
    assert not one.asked[0].coalitions.flags.writeable


@pytest.mark.parametrize(("players", "samples"), [(196, 1024), (300, 2048), (784, 512)])
def test_many_players(players: int, samples: int) -> None:
    solved = wide(players, samples, tolerance=0.0)
    assert np.isfinite(solved.phi).all()
    assert solved.phi.sum() == pytest.approx(np.linspace(0, 1, players).sum() + players - 1)
    assert solved.evaluations + 2 <= samples
    if samples > 4 * players:
        expected = np.linspace(0, 1, players) + 1 - 0.5 * np.isin(np.arange(players), [0, players - 1])
        np.testing.assert_allclose(solved.phi, expected, atol=0.05)


def test_too_few_samples_are_admitted() -> None:
    for tolerance in (0.0, 0.01):
        solution = wide(100, 60, tolerance).solution
        assert solution.converged is False
        assert solution.standard_error is None
        assert solution.error is None
        assert "raise samples to 800" in solution.notes[0]


def test_additive_games_take_one_stage() -> None:
    solved = solve(kernel_shap, lambda z: z @ np.arange(40.0), np.ones(40))
    np.testing.assert_allclose(solved.phi, np.arange(40.0), atol=1e-7)
    assert solved.solution.converged
    assert len(solved.asked) == 1


def test_a_constant_game_converges() -> None:
    solved = solve(kernel_shap, lambda z: np.full(len(z), 5.0), np.ones(20))
    np.testing.assert_array_equal(solved.phi, np.zeros(20))
    assert solved.solution.converged


def test_more_pairs_than_are_kriged_together() -> None:
    """Then regression competes: the answer is the surer one, and knows how good it is."""
    rng = np.random.Generator(np.random.PCG64(0))
    w = rng.normal(size=(14, 20)) / 2

    def f(z: np.ndarray) -> np.ndarray:
        return np.tanh(z @ w).sum(axis=1)

    exact = solve(exact_shapley, f, np.ones(14)).phi
    half, full = (solve(kernel_shap, f, np.ones(14), params={"samples": s, "tolerance": 0.0}) for s in (2048, 10_000))
    assert len(kernel_shap.plan_for(14, 0, 4999, 0).estimators) == 2
    assert full.solution.standard_error.max() < half.solution.standard_error.max()
    assert (np.abs(full.phi - exact) <= 4 * full.solution.standard_error).all()


def test_process_wide_random_state_is_untouched() -> None:
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state())
    kernel_shap.make_plan(20, 0, 100, 99)
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])


def test_stages_double_and_end_with_the_budget() -> None:
    assert list(kernel_shap.stages(10, 402, 0.01)) == [(0, 20), (20, 40), (40, 80), (80, 200)]
    assert list(kernel_shap.stages(10, 402, 0.0)) == [(0, 200)]
    assert list(kernel_shap.stages(1, 402, 0.0)) == [(0, 0)]
    assert list(kernel_shap.stages(100, 402, 0.01)) == [(0, 200)]
