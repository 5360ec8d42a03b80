"""Conditional and summarised backgrounds, through the engine, against brute force and closed forms."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from explainery.contract.job import Baseline
from explainery.contract.result import Result
from workers.centroids import centroids
from workers.draws import generator
from workers.game import Partition
from workers.local import Local, Order
from workers.neighbours import neighbours_of

RNG = np.random.Generator(np.random.PCG64(3))
X = RNG.normal(size=(2, 6))
BACKGROUND = RNG.normal(size=(40, 6)) @ RNG.normal(size=(6, 6))


def explain(lab: Local, method: str, model: str, rows: NDArray[Any], background: NDArray[Any], **more: Any) -> Any:
    params, arrays = more.pop("params", {}), {"background/input": background}
    baseline = Baseline(kind="background", **more)
    return lab.explain(model, Order(method, {"input": rows}, params, baseline=baseline, arrays=arrays, target=0))


def outputs(lab: Local, model: str, points: NDArray[Any]) -> NDArray[Any]:
    loaded = lab.load(model).model
    return loaded.fetch(loaded.forward({"input": loaded.place(points.astype(np.float32))}))[:, 0]


def shapley(value: Any, players: int) -> NDArray[Any]:
    """By the definition: over all orders in which players may join, counted by size."""
    phi = np.zeros(players)
    for player in range(players):
        others = [each for each in range(players) if each != player]
        for size in range(players):
            weight = math.factorial(size) * math.factorial(players - size - 1) / math.factorial(players)
            for group in itertools.combinations(others, size):
                phi[player] += weight * (value({*group, player}) - value(set(group)))
    return phi


def nearest_mean(lab: Local, x: NDArray[Any], count: int, members: set[int]) -> float:
    """v(S) by the definition: a loop over the background."""
    chosen = range(len(BACKGROUND))
    if members:
        away = [sum(((b[j] - x[j]) / BACKGROUND[:, j].std()) ** 2 for j in members) for b in BACKGROUND]
        chosen = sorted(chosen, key=lambda row: away[row])[:count]
    points = [[x[j] if j in members else BACKGROUND[row][j] for j in range(6)] for row in chosen]
    return float(outputs(lab, "smooth", np.array(points)).mean())


@pytest.mark.parametrize("method", ["exact_shapley", "kernel_shap"])
def test_conditional_equals_brute_force(lab: Local, method: str) -> None:
    result, arrays = explain(lab, method, "smooth", X, BACKGROUND, neighbours=7)
    assert result.value_function == "conditional"
    for row, x in enumerate(X):
        expected = shapley(lambda members, x=x: nearest_mean(lab, x, 7, members), 6)
        np.testing.assert_allclose(arrays["attributions.input"][row], expected, atol=3e-6)
        assert result.explanations[row].quality.completeness_gap < 1e-5


def test_conditional_costs_its_neighbours_alone(lab: Local) -> None:
    result, _ = explain(lab, "exact_shapley", "smooth", X[:1], BACKGROUND, neighbours=7)
    assert result.cost.model_evaluations == 62 * 7 + 41


def test_conditional_on_a_discrete_distribution_is_the_conditional_expectation(lab: Local) -> None:
    """f = a + 3.5 b at (1, 1), where a and b are 0 or 1 and agree in four cases of six.

    v(a) = 1 + 3.5 * 2/3, v(b) = 3.5 + 2/3, v() = 4.5 / 2: phi_a = 5/12 + 3.5/12, phi_b = 5/12 * 3.5 + 1/12.
    """
    cases = np.repeat(np.array([[1, 1]] * 2 + [[1, 0], [0, 1]] + [[0, 0]] * 2), 2, axis=1).astype(np.float64)
    params = {"features": {"labels": [0, 0, 1, 1]}}  # weights 2 and -1 together, 0.5 and 3
    result, arrays = explain(lab, "exact_shapley", "linear", np.ones((1, 4)), cases, params=params, neighbours=3)
    np.testing.assert_allclose(arrays["attributions.input"][0], [8.5 / 12, 18.5 / 12], atol=1e-9)
    assert result.explanations[0].baseline_output == pytest.approx(1 + 4.5 / 2)
    marginal = explain(lab, "exact_shapley", "linear", np.ones((1, 4)), cases, params=params)[1]
    np.testing.assert_allclose(marginal["attributions.input"][0], [0.5, 1.75], atol=1e-9)


def test_a_moved_row_has_neighbours_of_its_own(lab: Local) -> None:
    """Of two groups of rows those of the nearer one stand for what is absent; half of the moves lead into the other's reach."""
    rows = np.repeat([[-1.0, 0, 0, 0], [1.0, 1, 1, 1]], 5, axis=0)
    x = np.array([[0.01, 0.5, 0.5, 0.5]])  # nearer to the second group by a little
    baseline = Baseline(kind="background", neighbours=5)
    checks = {"max_sensitivity": {"radius": 0.9, "runs": 16}}
    order = Order("exact_shapley", {"input": x}, {}, 0, baseline, {"background/input": rows}, quality=checks)
    (explanation,) = lab.explain("linear", order)[0].explanations
    found = (explanation.quality.checks or {})["max_sensitivity"]
    rng, own, changes = generator(0, "checks/moves"), lab.explain("linear", replace(order, quality={}))[1], []
    for _ in range(16):
        move = rng.uniform(-0.9, 0.9, 4) * np.ptp(x)
        there = lab.explain("linear", replace(order, inputs={"input": x + move}, quality={}))[1]
        changes.append(np.linalg.norm(there["attributions.input"] - own["attributions.input"]))
    assert found["max_sensitivity"] == pytest.approx(max(changes), rel=1e-9)


def test_neighbours_of_all_rows_are_the_marginal_function(lab: Local) -> None:
    _, conditional = explain(lab, "kernel_shap", "smooth", X, BACKGROUND, neighbours=40)
    result, marginal = explain(lab, "kernel_shap", "smooth", X, BACKGROUND)
    assert result.value_function == "marginal"
    np.testing.assert_allclose(conditional["attributions.input"], marginal["attributions.input"], atol=2e-6)


def test_ties_are_not_broken_by_the_order_of_the_rows() -> None:
    rows = {"input": np.repeat([[0.0], [1.0]], 50, axis=0)}
    found = neighbours_of(20, {"input": np.zeros(1)}, rows, Partition({"input": np.zeros(1, dtype=np.int64)}), 0)
    chosen = found.of(np.array([[True], [False]]))
    assert (chosen[0] < 50).all()
    assert 4 <= (chosen[1] < 50).sum() <= 16


@pytest.mark.parametrize("constant", [0.1, 1e9 / 3, 0.0])
def test_a_feature_that_does_not_vary_hides_no_other(constant: float) -> None:
    """Rounding gives a column of 0.1 a standard deviation of 1e-17: in units of that all else would be nothing."""
    plain = np.concatenate([RNG.normal(size=(40, 1)) * 0.1 + at for at in (0, 5, 9)])
    beside = np.column_stack([plain, np.full(len(plain), constant)])
    labels = Partition({"input": np.arange(2)})
    near = neighbours_of(7, {"input": np.array([4.8, 0.7])}, {"input": beside}, labels, 0).of(np.ones((1, 2), dtype=bool))
    wanted = np.argsort(np.abs(plain[:, 0] - 4.8))[:7]
    np.testing.assert_array_equal(np.sort(near[0]), np.sort(wanted))
    found, shares = centroids(beside, 3, 0)
    np.testing.assert_allclose(np.sort(found[:, 0]), [0, 5, 9], atol=0.1)
    np.testing.assert_allclose(shares, 1 / 3)


def test_centroids_of_large_numbers_that_differ_little() -> None:
    rows = np.concatenate([RNG.normal(size=(30, 2)) * 0.1 + at for at in ([0, 0], [5, 9], [9, 0])])
    _, shares = centroids(rows + 1e9, 3, 0)
    np.testing.assert_allclose(shares, 1 / 3)


def test_centroids_stand_for_their_rows() -> None:
    groups = np.concatenate([RNG.normal(size=(30, 3)) * 0.1 + at for at in ([0, 0, 0], [5, 0, 9], [9, 9, 0])])
    found, shares = centroids(np.concatenate([groups, groups[:30]]), 3, 0)
    np.testing.assert_allclose(np.sort(shares), [0.25, 0.25, 0.5])
    np.testing.assert_allclose(shares @ found, np.concatenate([groups, groups[:30]]).mean(axis=0))
    for centre in ([0, 0, 0], [5, 0, 9], [9, 9, 0]):
        assert np.abs(found - centre).max(axis=1).min() < 0.1
    again, _ = centroids(np.concatenate([groups, groups[:30]]), 3, 0)
    np.testing.assert_array_equal(again, found)


def test_as_many_centroids_as_different_rows_are_these_rows() -> None:
    rows = np.array([[0.0, 1.0], [2.0, 0.0], [0.0, 1.0], [3.0, 3.0]])
    found, shares = centroids(rows, 4, 0)
    order = np.lexsort(found.T[::-1])
    np.testing.assert_allclose(found[order], [[0, 1], [2, 0], [3, 3]])
    np.testing.assert_allclose(shares[order], [0.5, 0.25, 0.25])


SUMMARISED = ["exact_shapley", "kernel_shap", "integrated_gradients", "expected_gradients", "feature_ablation"]


@pytest.mark.parametrize("method", SUMMARISED)
def test_weights_enter_the_mean(lab: Local, method: str) -> None:
    """A background of three different rows, some several times, is the same as its three weighted centroids."""
    rows = np.repeat(RNG.normal(size=(3, 6)), [5, 2, 1], axis=0)
    params = {"tolerance": 1e-4} if method == "integrated_gradients" else {}
    if method == "expected_gradients":
        params = {"samples": 8192, "tolerance": 0.0}
    whole: Result
    whole, plain = explain(lab, method, "smooth", X, rows, params=params)
    result, found = explain(lab, method, "smooth", X, rows, params=params, summarise=3)
    assert result.value_function == "marginal"
    near = {"expected_gradients": 2e-3}.get(method, 1e-5)
    np.testing.assert_allclose(found["attributions.input"], plain["attributions.input"], atol=near)
    np.testing.assert_allclose(found["baseline_output"], plain["baseline_output"], atol=1e-6)
    if method not in ("feature_ablation", "expected_gradients"):
        assert result.cost.model_evaluations + result.cost.gradient_evaluations < 0.6 * (
            whole.cost.model_evaluations + whole.cost.gradient_evaluations
        )


@pytest.mark.parametrize("summarise", [None, 3])
def test_weights_enter_what_slopes_are_said_to_contribute(lab: Local, summarise: int | None) -> None:
    """Of a linear model the slope times the way from the mean baseline foretells every perturbation."""
    rows, x = np.repeat(RNG.normal(size=(3, 4)), [50, 2, 1], axis=0), RNG.normal(size=(1, 4))
    baseline = Baseline(kind="background", summarise=summarise)
    order = Order("saliency", {"input": x}, {}, 0, baseline, {"background/input": rows}, quality={"infidelity": {}})
    (explanation,) = lab.explain("linear", order)[0].explanations
    assert explanation.quality.checks is not None
    assert explanation.quality.checks["infidelity"]["infidelity"] == pytest.approx(0, abs=1e-9)


def test_trees_weigh_a_summarised_background(lab: Local) -> None:
    rows = np.repeat(RNG.normal(size=(3, 4)), [5, 2, 1], axis=0)
    x = RNG.normal(size=(2, 4))
    plain, found = (explain(lab, "tree_shap", "trees", x, rows, **more)[1] for more in ({}, {"summarise": 3}))
    np.testing.assert_allclose(found["attributions.input"], plain["attributions.input"], atol=1e-5)
