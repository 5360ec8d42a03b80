from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from by_hand import Solved, solve, table_game
from references import shap
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor

from workers.methods import exact_shapley, shapley_interactions


def matrix(solved: Solved) -> np.ndarray:
    (found,) = solved.solution.maps
    assert found.axes == ("player", "player")
    return found.values


def pairs(solved: Solved) -> np.ndarray:
    """The map without its diagonal."""
    found = matrix(solved).copy()
    np.fill_diagonal(found, 0)
    return found


@pytest.mark.parametrize("players", [2, 3, 4, 6])
def test_brute_force(players: int) -> None:
    table = np.random.Generator(np.random.PCG64(players)).normal(size=2**players)
    solved = solve(shapley_interactions, lambda p: table[(p > 0.5) @ (1 << np.arange(players))], np.ones(players))
    expected = np.zeros((players, players))
    for i, j in itertools.permutations(range(players), 2):
        others = [k for k in range(players) if k not in (i, j)]
        for size in range(players - 1):
            weight = math.factorial(size) * math.factorial(players - size - 2) / math.factorial(players - 1)
            for members in itertools.combinations(others, size):
                s = sum(1 << k for k in members)
                together = table[s | 1 << i | 1 << j] - table[s | 1 << i] - table[s | 1 << j] + table[s]
                expected[i, j] += weight * together
    np.testing.assert_allclose(pairs(solved), expected, atol=1e-12)
    exact = solve(exact_shapley, lambda p: table[(p > 0.5) @ (1 << np.arange(players))], np.ones(players)).phi
    np.testing.assert_allclose(solved.phi, exact, atol=1e-12)
    assert solved.evaluations == shapley_interactions.cost(players, {}) == 2**players - 2


def test_additive_games_have_none() -> None:
    w = np.array([1.0, -2.0, 3.0, 0.5])
    solved = solve(shapley_interactions, lambda p: p @ w + 1e6, np.ones(4))
    np.testing.assert_allclose(matrix(solved), np.diag(w), atol=1e-8)


def test_a_product_is_all_interaction() -> None:
    solved = solve(shapley_interactions, lambda p: p.prod(axis=1), [3.0, 5.0])
    np.testing.assert_allclose(matrix(solved), [[0, 15], [15, 0]], atol=1e-12)


def test_pairwise_games_show_their_coefficients() -> None:
    rng = np.random.Generator(np.random.PCG64(3))
    w, q = rng.normal(size=8), np.triu(rng.normal(size=(8, 8)), 1)
    solved = solve(shapley_interactions, lambda z: z @ w + np.einsum("ki,ij,kj->k", z, q, z), np.ones(8))
    np.testing.assert_allclose(matrix(solved), np.diag(w) + q + q.T, atol=1e-10)


def test_unanimity_games() -> None:
    """Of t players who are all needed, each pair's index is 1 / (t - 1) (Grabisch & Roubens)."""
    game = table_game(lambda members: float(members >= {0, 2, 3}), 5)
    expected = np.zeros((5, 5))
    for i, j in itertools.permutations((0, 2, 3), 2):
        expected[i, j] = 1 / 2
    np.testing.assert_allclose(pairs(solve(shapley_interactions, game, np.ones(5))), expected, atol=1e-12)


def test_rows_sum_to_shapley_values_with_half_of_each_interaction() -> None:
    table = np.random.Generator(np.random.PCG64(1)).normal(size=64)
    solved = solve(shapley_interactions, lambda p: table[(p > 0.5) @ (1 << np.arange(6))], np.ones(6))
    found = matrix(solved)
    np.testing.assert_allclose(np.diag(found) + pairs(solved).sum(axis=1) / 2, solved.phi, atol=1e-12)
    assert np.diag(found).sum() + pairs(solved).sum() / 2 == pytest.approx(table[-1] - table[0])


def test_shaps_interactions_of_trees() -> None:
    """shap counts half of an interaction in each of its two places, and knows them for the path-dependent value function.

    On a tree whose two features are independent in the training data, that is the marginal one over it.
    """
    grid = np.array(list(itertools.product(range(4), range(4))), dtype=float)
    model = GradientBoostingRegressor(n_estimators=5, max_depth=2, random_state=0).fit(grid, grid[:, 0] * grid[:, 1])
    theirs = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent").shap_interaction_values(grid[[13]])[0]

    def marginal(points: np.ndarray) -> np.ndarray:
        """Points in 0/1: present players keep row 13, the others range over the training rows."""
        present = points[:, None, :] > 0.5
        return model.predict(np.where(present, grid[13], grid).reshape(-1, 2)).reshape(len(points), -1).mean(axis=1)

    found = pairs(solve(shapley_interactions, marginal, np.ones(2)))
    np.testing.assert_allclose(found / 2, theirs - np.diag(np.diag(theirs)), atol=1e-5)


def test_many_players() -> None:
    X, y = load_diabetes(return_X_y=True)
    model = GradientBoostingRegressor(n_estimators=20, max_depth=2, random_state=0).fit(X, y)
    solved = solve(shapley_interactions, model.predict, X[0], X.mean(axis=0))
    found = pairs(solved)
    np.testing.assert_allclose(found, found.T, atol=1e-9)
    assert np.abs(found).max() > 1  # trees of depth 2 have pairs


def test_one_player() -> None:
    solved = solve(shapley_interactions, lambda p: p[:, 0] * 3, [2.0])
    assert solved.phi.tolist() == [6]
    assert matrix(solved).tolist() == [[6]]
    assert not solved.asked
