"""Standard errors of kriging and regression are right on average where their own assumptions hold."""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np
import pytest

from workers.coalitions import every_coalition
from workers.kriging import SPREAD, Kriging, kriging
from workers.pairs import inclusion, leverage_pairs
from workers.regression import regression

PLAYERS = 8
GAMES = 2000


@cache
def games() -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of random games, [games, odd sets], as variable as kriging takes them for; and who is in each odd set."""
    sets = [chosen for size in (1, 3, 5, 7) for chosen in combinations(range(PLAYERS), size)]
    members = np.array([[player in chosen for player in range(PLAYERS)] for chosen in sets])
    deviation = (SPREAD / PLAYERS) ** (members.sum(axis=1) / 2)
    return np.random.Generator(np.random.PCG64(1)).normal(size=(GAMES, len(sets))) * deviation, members


def odd_values(present: np.ndarray) -> np.ndarray:
    """u of the games, [games, coalitions]: the sum over odd sets of c_T prod z_i."""
    coefficients, members = games()
    return coefficients @ (-1.0) ** (members.astype(int) @ (~present).T.astype(int))


def truth() -> np.ndarray:
    """phi_i = 2 sum over odd T with i in T of c_T / |T|, [games, players]."""
    coefficients, members = games()
    return 2 * coefficients @ (members / members.sum(axis=1, keepdims=True))


def drawn(pairs: int, seed: int) -> tuple[Kriging, np.ndarray, np.ndarray]:
    """The estimator, what each estimate is off by, and the odd values of all games."""
    smaller = leverage_pairs(PLAYERS, pairs, seed)
    estimator = kriging(smaller, inclusion(smaller))
    odd = odd_values(np.concatenate([smaller, np.ones((1, PLAYERS), dtype=bool)]))
    return estimator, odd @ estimator.weights - truth(), odd


@pytest.mark.parametrize("pairs", [14, 24, 50, 100])
def test_intervals_hold_their_level(pairs: int) -> None:
    """95 %, from six pairs more than players, where Student's t is wide, to most of all pairs."""
    held = []
    for seed in range(3):
        estimator, off, odd = drawn(pairs, seed)
        spread = np.sqrt(np.stack([estimator.plan.plain(game) for game in odd]))
        held.append(np.abs(off) <= 1.96 * spread)
    assert 0.94 <= np.mean(held) <= 0.975


def test_the_plain_jackknife_would_be_too_wide() -> None:
    """A value that is left out is foretold worse than by an estimate that has it: why its square does not count in full."""
    estimator, off, odd = drawn(50, 0)
    unseen = 1 - np.append(inclusion(leverage_pairs(PLAYERS, 50, 0)), 1.0)
    precision = estimator.plan.precision
    plain = (odd @ precision / np.diagonal(precision)) ** 2 @ (unseen[:, None] * estimator.weights**2)
    assert 1.3 <= np.mean(plain) / np.mean(off**2) <= 2.5
    assert np.mean(np.abs(off) <= 1.96 * np.sqrt(plain)) > 0.97


def test_units_do_not_matter() -> None:
    estimator, _, odd = drawn(30, 1)
    np.testing.assert_allclose(estimator.answer(1000 * odd[0])[1], 1e6 * estimator.answer(odd[0])[1])


def test_pairs_that_leave_a_direction_open_tell_nothing_of_the_error() -> None:
    """Two players that are never apart: more pairs than players, and no way to tell those two from each other."""
    pairs = every_coalition(PLAYERS)
    together = pairs[(pairs[:, 0] == pairs[:, 1]) & pairs[:, 0]][:12]
    assert kriging(together, np.full(12, 0.1)).answer(np.ones(13))[1] is None


def test_regression_is_right_on_average_where_the_rest_is_white_noise() -> None:
    rng = np.random.Generator(np.random.PCG64(2))
    pairs = np.array([np.isin(np.arange(9), rng.permutation(9)[:3]) for _ in range(30)])
    estimator = regression(pairs, np.full(30, 1e-9))
    noise = np.concatenate([rng.normal(size=(4000, 30)), np.zeros((4000, 1))], axis=1)
    found = np.mean([estimator.variances(game) for game in noise], axis=0)
    np.testing.assert_allclose(found, (estimator.weights**2).sum(axis=0), rtol=0.05)
