"""Triples that stand out are found, and only those."""

from __future__ import annotations

import numpy as np
import pytest
from by_hand import solve

from workers import triples as module
from workers.kriging import Kriging, kriging
from workers.methods import kernel_shap
from workers.pairs import inclusion, leverage_pairs
from workers.triples import chosen, combined, foremost

PLAYERS = 12


def drawn(seed: int, pairs: int = 47) -> tuple[Kriging, np.ndarray]:
    """The estimator of some pairs, and their signs with the grand coalition's."""
    smaller = leverage_pairs(PLAYERS, pairs, seed)
    signs = np.where(np.concatenate([smaller, np.ones((1, PLAYERS), dtype=bool)]), 1.0, -1.0)
    return kriging(smaller, inclusion(smaller)), signs


def test_planted_products_are_found_and_their_values_are_exact() -> None:
    """u = z1 z2 z3 - 2 z4 z5 z6 + z @ w: phi is 2/3 of a product's coefficient for each of its three, and 2 w."""
    estimator, z = drawn(0)
    w = np.linspace(-1, 1, PLAYERS)
    odd = z @ w + z[:, 1] * z[:, 2] * z[:, 3] - 2 * z[:, 4] * z[:, 5] * z[:, 6]
    found = chosen(estimator.plan, odd, foremost(odd @ estimator.weights))
    assert {tuple(row) for row in found.members} >= {(1, 2, 3), (4, 5, 6)}
    phi, variance = estimator.answer(odd)
    exact = 2 * w
    exact[1:4] += 2 / 3
    exact[4:7] -= 4 / 3
    plain = odd @ estimator.weights
    assert np.sum((phi - exact) ** 2) < 0.02 * np.sum((plain - exact) ** 2)
    assert variance.sum() < 0.1 * estimator.plan.plain(odd).sum()
    assert phi.sum() == pytest.approx(2 * odd[-1])


def test_chance_is_taken_for_a_triple_no_more_often_than_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of games that are as variable as kriging takes them for, at 0.05 one in twenty has any at most, give or take luck."""
    monkeypatch.setattr(module, "CHANCE", 0.05)
    rng = np.random.Generator(np.random.PCG64(0))
    had = []
    for seed in range(10):
        estimator, _ = drawn(seed)
        root = np.linalg.pinv(estimator.plan.precision, rcond=1e-9, hermitian=True)
        values, vectors = np.linalg.eigh(root)
        games = rng.normal(size=(40, len(values))) * np.sqrt(np.maximum(values, 0)) @ vectors.T
        had += [chosen(estimator.plan, odd, foremost(np.ones(PLAYERS))) is not None for odd in games]
    assert 0 < np.mean(had) <= 0.08


def test_nothing_is_found_in_an_additive_game() -> None:
    estimator, z = drawn(1)
    phi, variance = estimator.answer(z @ np.arange(12.0))
    np.testing.assert_allclose(phi, 2 * np.arange(12.0), atol=1e-7)
    assert variance.max() < 1e-12


def test_triples_are_of_the_largest_players_and_of_three() -> None:
    assert combined(2, 3).shape == (0, 3)
    assert combined(5, 3).shape == (10, 3)
    values = np.zeros(60)
    values[30:50] = -1.0
    assert set(foremost(values)) == set(range(30, 50))


@pytest.mark.parametrize("samples", [100, 400, 3000])
def test_products_of_three_take_few_evaluations(samples: int) -> None:
    def game(z: np.ndarray) -> np.ndarray:
        return z @ np.linspace(0, 1, 14) + 2 * z[:, 0] * z[:, 5] * z[:, 9]

    solved = solve(kernel_shap, game, np.ones(14), params={"samples": samples, "tolerance": 0.0})
    exact = np.linspace(0, 1, 14)
    exact[[0, 5, 9]] += 2 / 3
    np.testing.assert_allclose(solved.phi, exact, atol=0.03)
    assert (np.abs(solved.phi - exact) <= 4 * solved.solution.standard_error + 1e-9).all()
