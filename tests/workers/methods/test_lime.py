from __future__ import annotations

import numpy as np
import pytest
import torch
from by_hand import Solved, solve
from captum._utils.models.linear_model import SkLearnLinearRegression
from captum.attr import Lime
from captum.attr._core.lime import get_exp_kernel_similarity_function
from sklearn.linear_model import LinearRegression

from workers.game import Game, Partition
from workers.locally import local
from workers.methods import lime
from workers.quality import quality_of

RNG = np.random.Generator(np.random.PCG64(5))
INNER, OUTER = RNG.normal(size=(6, 9)), RNG.normal(size=9)


def f(points: np.ndarray) -> np.ndarray:
    return np.tanh(points @ INNER) @ OUTER


def run(samples: int = 1024, seed: int = 0, **params: float) -> Solved:
    return solve(lime, f, np.ones(6), params={"samples": samples, **params}, seed=seed)


def by_scikit_learn(coalitions: np.ndarray, width: float) -> LinearRegression:
    """The weighted regression on these coalitions and the two ends."""
    z = np.concatenate([coalitions, np.ones((1, 6)), np.zeros((1, 6))]).astype(float)
    weights = np.exp(-(((1 - np.sqrt(z.mean(axis=1))) / width) ** 2))
    return LinearRegression().fit(z, f(z), weights), LinearRegression().fit(z, f(z), weights).score(z, f(z), weights)


@pytest.mark.parametrize(("samples", "width"), [(40, 0.25), (40, 1.0), (64, 0.25), (1024, 0.7)])
def test_scikit_learns_weighted_regression_on_the_same_coalitions(samples: int, width: float) -> None:
    solved = run(samples, kernel_width=width)
    fitted, score = by_scikit_learn(solved.asked[0].coalitions, width)
    np.testing.assert_allclose(solved.phi, fitted.coef_, atol=1e-8)
    assert solved.solution.unexplained == pytest.approx(1 - score, abs=1e-8)
    assert solved.evaluations == lime.cost(6, {"samples": samples}) <= samples - 2


def test_captums_lime_agrees_within_its_sampling_error() -> None:
    torch.manual_seed(0)
    method = Lime(
        lambda points: torch.from_numpy(f(points.numpy())),
        interpretable_model=SkLearnLinearRegression(),
        # captum's kernel has exp(-d^2 / (2 width^2))
        similarity_func=get_exp_kernel_similarity_function("cosine", kernel_width=0.5 / np.sqrt(2)),
    )
    draws = [method.attribute(torch.ones(1, 6).double(), n_samples=1000, perturbations_per_eval=1000) for _ in range(8)]
    found = torch.cat(draws).numpy()
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    assert (np.abs(run(64, kernel_width=0.5).phi - found.mean(axis=0)) <= 4 * error).all()


def test_exact_on_additive_games_from_few_coalitions() -> None:
    w = np.linspace(-2, 3, 20)
    solved = solve(lime, lambda z: z @ w + 1e6, np.ones(20), params={"samples": 40})
    np.testing.assert_allclose(solved.phi, w, atol=1e-6)
    assert solved.solution.unexplained == pytest.approx(0, abs=1e-9)
    assert solved.solution.standard_error.max() < 1e-6


def test_all_coalitions_leave_nothing_to_chance() -> None:
    first, second = run(64, seed=1), run(4096, seed=2)
    np.testing.assert_array_equal(first.phi, second.phi)
    assert first.evaluations == 62
    assert not first.solution.standard_error.any()


def test_intervals_cover_what_all_coalitions_give() -> None:
    """On twelve players, of which 64 and 400 coalitions are drawn."""
    inner = np.random.Generator(np.random.PCG64(1)).normal(size=(12, 9))

    def wide(points: np.ndarray) -> np.ndarray:
        return np.tanh(points @ inner) @ OUTER

    truth = solve(lime, wide, np.ones(12), params={"samples": 4096}).phi
    for samples in (64, 400):
        solved = [solve(lime, wide, np.ones(12), params={"samples": samples}, seed=seed) for seed in range(40)]
        inside = [np.abs(one.phi - truth) <= 1.96 * one.solution.standard_error for one in solved]
        assert 0.90 <= np.mean(inside) <= 0.99, (samples, np.mean(inside))


def test_a_narrow_kernel_sees_the_instance_alone() -> None:
    """f = the number of present players, from four of six on: near the instance it is linear."""

    def steep(z: np.ndarray) -> np.ndarray:
        return np.where(z.sum(axis=1) >= 4, z.sum(axis=1), -100.0)

    near, far = (solve(lime, steep, np.ones(6), params={"samples": 64, "kernel_width": w}) for w in (0.03, 10.0))
    np.testing.assert_allclose(near.phi, 1.0, atol=1e-3)
    assert near.solution.unexplained < 1e-3
    assert far.phi.min() > 5


@pytest.mark.parametrize("width", [0.01, 0.03])
@pytest.mark.parametrize("samples", [64, 1000])
def test_a_kernel_too_narrow_for_the_nearest_coalitions_is_admitted(width: float, samples: int) -> None:
    """Without one of 3 players the distance is 0.18, of 12 it is 0.04: at 0.01 no weight is left but the instance's own."""
    solved = solve(lime, lambda z: z @ np.arange(1.0, 4.0), np.ones(3), params={"samples": samples, "kernel_width": width})
    assert (solved.solution.converged, solved.solution.standard_error) == (False, None)
    assert "raise kernel_width" in solved.solution.notes[0]
    solved = solve(lime, lambda z: z.sum(axis=1), np.ones(12), params={"samples": 200, "kernel_width": 0.01})
    assert "raise kernel_width" in solved.solution.notes[0]


def test_a_poor_fit_warns_as_that_and_not_as_sampling_error() -> None:
    params = {"samples": 256, "kernel_width": 10}
    game = Game(Partition({"input": np.arange(8)}), 0.0, 0.0, seed=0)
    poor = solve(lime, lambda z: z.sum(axis=1) % 2, np.ones(8), params=params).solution
    assert poor.unexplained > 0.9
    found = quality_of(game, poor, lime.SPEC)
    assert (found.verdict, found.approximation_error) == ("warn", poor.unexplained)
    assert ["read it with care" in note for note in found.notes] == [True]
    fair = quality_of(game, run(64).solution, lime.SPEC)
    assert (fair.verdict, fair.notes) == ("pass", ())


def test_features_that_were_not_told_apart_do_not_pass() -> None:
    game = Game(Partition({"input": np.arange(100)}), 0.0, 100.0, seed=0)
    found = solve(lime, lambda z: z.sum(axis=1), np.ones(100), params={"samples": 60}).solution
    assert quality_of(game, found, lime.SPEC).verdict == "warn"


def test_too_few_samples_are_admitted() -> None:
    solved = solve(lime, lambda z: z.sum(axis=1), np.ones(100), params={"samples": 60})
    assert solved.solution.converged is False
    assert solved.solution.standard_error is None
    assert "raise samples to 800" in solved.solution.notes[0]


def test_a_constant_game_has_no_variance_to_explain() -> None:
    solved = solve(lime, lambda z: np.full(len(z), 5.0), np.ones(9), params={"samples": 100})
    np.testing.assert_allclose(solved.phi, 0, atol=1e-12)
    assert solved.solution.unexplained == 0


def test_one_plan_serves_every_row() -> None:
    one, two = (solve(lime, f, np.full(6, value), params={"samples": 50}).asked[0].coalitions for value in (1.0, 2.0))
    assert one is two
    assert local(6, 48, 0.25, 0).coalitions is one
