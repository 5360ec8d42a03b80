"""Closed forms and published values that every Shapley method reproduces."""

from __future__ import annotations

import itertools
import math
from types import ModuleType

import numpy as np
import pytest
from by_hand import solve, table_game

from workers.methods import exact_shapley, feature_ablation, kernel_shap, permutation_shapley

METHODS = pytest.mark.parametrize(
    "method", [exact_shapley, kernel_shap, permutation_shapley], ids=lambda method: method.SPEC.name
)


def captum_multilayer(points: np.ndarray) -> np.ndarray:
    """Output 0 of captum's BasicModel_MultiLayer: ones everywhere, biases [-10, 1, 1, 1] and -1."""
    total = points.sum(axis=1)
    return np.maximum(total - 10, 0) + 3 * np.maximum(total + 1, 0) - 1


@METHODS
@pytest.mark.parametrize(
    ("baseline", "labels", "expected"),
    [
        (0, None, [76.66666667, 196.66666667, 116.66666667]),
        (0, [0, 0, 1], [275, 115]),
        (4, [0, 0, 1], [248, 104]),
    ],
)
def test_captums_published_values(method: ModuleType, baseline: float, labels: list[int] | None, expected: list[float]) -> None:
    solved = solve(method, captum_multilayer, [20, 50, 30], baseline, labels=labels)
    np.testing.assert_allclose(solved.phi, expected, atol=1e-6)


@METHODS
def test_captums_linear_model(method: ModuleType) -> None:
    def linear(points: np.ndarray) -> np.ndarray:
        return points @ np.full(3, 4.0)

    np.testing.assert_allclose(solve(method, linear, [20, 50, 30], [10, 20, 10]).phi, [40, 120, 80], atol=1e-9)


def test_ablation_of_the_same_model() -> None:
    solved = solve(feature_ablation, captum_multilayer, [20, 50, 30], labels=[0, 0, 1])
    np.testing.assert_allclose(solved.phi, [280, 120])
    assert solved.evaluations == 2


@METHODS
def test_additive(method: ModuleType) -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    w, x, b = rng.normal(size=(3, 9))
    np.testing.assert_allclose(solve(method, lambda points: points @ w, x, b).phi, w * (x - b), atol=1e-9)


@METHODS
def test_product_is_shared_by_halves(method: ModuleType) -> None:
    np.testing.assert_allclose(solve(method, lambda points: points.prod(axis=1), [3.0, 5.0]).phi, [7.5, 7.5], atol=1e-12)


@METHODS
def test_unanimity(method: ModuleType) -> None:
    game = table_game(lambda members: float(members >= {0, 2, 3}), 5)
    np.testing.assert_allclose(solve(method, game, np.ones(5)).phi, [1 / 3, 0, 1 / 3, 1 / 3, 0], atol=1e-9)


@METHODS
def test_airport(method: ModuleType) -> None:
    """Littlechild & Owen, 1973: each piece of the runway is shared by those who need it."""
    costs = [1.0, 2.0, 4.0, 7.0]
    game = table_game(lambda members: max((costs[member] for member in members), default=0.0), 4)
    expected = np.cumsum([1 / 4, 1 / 3, 2 / 2, 3 / 1])
    np.testing.assert_allclose(solve(method, game, np.ones(4)).phi, expected, atol=1e-9)


@METHODS
def test_gloves(method: ModuleType) -> None:
    """Two left gloves and one right: a pair is worth 1."""
    game = table_game(lambda members: float(2 in members and len(members) >= 2), 3)
    np.testing.assert_allclose(solve(method, game, np.ones(3)).phi, [1 / 6, 1 / 6, 2 / 3], atol=1e-12)


@METHODS
@pytest.mark.parametrize("players", [1, 2, 3, 7])
def test_brute_force(method: ModuleType, players: int) -> None:
    """The definition: a player's mean marginal contribution over all orders of arrival."""
    table = np.random.Generator(np.random.PCG64(players)).normal(size=2**players)

    def f(points: np.ndarray) -> np.ndarray:
        return table[(points > 0.5) @ (1 << np.arange(players))]

    expected = np.zeros(players)
    for order in itertools.permutations(range(players)):
        known = 0
        for player in order:
            expected[player] += table[known | 1 << player] - table[known]
            known |= 1 << player
    solved = solve(method, f, np.ones(players))
    np.testing.assert_allclose(solved.phi, expected / math.factorial(players), atol=1e-9)
    assert solved.evaluations <= 2**players - 2


def test_exact_at_its_limit() -> None:
    n = exact_shapley.MAX_PLAYERS
    w = np.linspace(-1, 1, n)
    solved = solve(exact_shapley, lambda points: points @ w + 1e6 * points[:, 0] * points[:, 1], np.ones(n))
    expected = w + 5e5 * np.isin(np.arange(n), [0, 1])
    np.testing.assert_allclose(solved.phi, expected, atol=1e-5 * 1e-4 * 1e6)
    assert solved.evaluations == exact_shapley.cost(n, {}) == 2**n - 2


def test_one_question_object_serves_every_row() -> None:
    for method, n in ((exact_shapley, 5), (feature_ablation, 5)):
        one, two = (solve(method, lambda points: points.sum(axis=1), np.full(n, value)) for value in (1.0, 2.0))
        assert one.asked[0].coalitions is two.asked[0].coalitions
        assert not one.asked[0].coalitions.flags.writeable
