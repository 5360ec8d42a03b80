from __future__ import annotations

import numpy as np
import pytest
from by_hand import solve

from workers import dependence
from workers.dependence import jackknifed, kernel, sampled, whole
from workers.methods import hsic


def drawn(n: int = 40, features: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    signs = np.where(rng.random((n, features)) < 0.5, 1.0, -1.0)
    return signs, signs[:, 0] + 0.5 * signs[:, 1] * signs[:, 2] + 0.1 * rng.normal(size=n)


def test_the_unbiased_estimator_by_its_definition() -> None:
    """tr(K L) / n(n-1) + 1'K1 1'L1 / n(n-1)(n-2)(n-3) - 2 1'K L1 / n(n-1)(n-2), written with sums over distinct numbers."""
    signs, outputs = drawn(9)
    likeness = dependence.kernel(outputs)
    n = 9
    for feature in range(3):
        alike = (signs[:, None, feature] == signs[None, :, feature]).astype(float)
        terms = np.zeros(3)
        for i in range(n):
            for j in set(range(n)) - {i}:
                terms[0] += alike[i, j] * likeness[i, j] / (n * (n - 1))
                for q in set(range(n)) - {i, j}:
                    terms[1] += alike[i, j] * likeness[i, q] / (n * (n - 1) * (n - 2))
                    for r in set(range(n)) - {i, j, q}:
                        terms[2] += alike[i, j] * likeness[q, r] / (n * (n - 1) * (n - 2) * (n - 3))
        expected = terms[0] - 2 * terms[1] + terms[2]
        own = _own(likeness)
        assert dependence.sampled(signs, likeness)[feature] == pytest.approx(expected / np.sqrt(0.25 * own), abs=1e-12)


def _own(likeness: np.ndarray) -> float:
    n = len(likeness)
    apart = likeness - np.diag(np.diag(likeness))
    trace, total, joint = (apart * apart).sum(), apart.sum() ** 2, (apart @ apart).sum()
    return float((trace + total / ((n - 1) * (n - 2)) - 2 * joint / (n - 2)) / (n * (n - 3)))


def test_the_whole_population_by_its_definition() -> None:
    outputs = np.array([0.0, 1.0, 3.0, 4.5])
    signs = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=float)
    likeness = dependence.kernel(outputs)
    centre = np.eye(4) - 1 / 4
    for feature in range(2):
        alike = (signs[:, None, feature] == signs[None, :, feature]).astype(float)
        cross, own = (np.trace(other @ centre @ likeness @ centre) / 16 for other in (alike, centre @ likeness @ centre))
        assert dependence.whole(signs, likeness)[feature] == pytest.approx(cross / np.sqrt(0.25 * own))


def test_an_output_that_is_one_feature_depends_wholly_on_it() -> None:
    phi = solve(hsic, lambda points: points[:, 1], np.ones(3)).phi
    np.testing.assert_allclose(phi, [0, 1, 0], atol=1e-12)


def test_sees_what_does_not_change_the_mean() -> None:
    """Feature 0 decides how far the output swings with 1, and the mean is the same with and without it."""
    phi = solve(hsic, lambda p: (2 * p[:, 1] - 1) * (1 + 2 * p[:, 0]), np.ones(3)).phi
    assert phi[0] > 0.02
    assert phi[2] == pytest.approx(0, abs=1e-12)


def test_a_sample_comes_near_the_whole() -> None:
    weights = np.array([1.0, 2.0, -3.0, *[0.0] * 9])
    exact = solve(hsic, lambda p: p @ weights, np.ones(12), params={"samples": 4096}).phi
    runs = [solve(hsic, lambda p: p @ weights, np.ones(12), params={"samples": 600}, seed=seed) for seed in range(20)]
    found = np.array([run.phi for run in runs])
    assert float(np.abs(found.mean(axis=0) - exact).max()) < 0.02
    errors = np.array([run.solution.standard_error for run in runs])[:, :3]
    assert float((np.abs(found - exact)[:, :3] <= 2.5 * errors).mean()) >= 0.85


def test_intervals_of_eight_blocks_are_students() -> None:
    """With the normal's 1.96 they hold the truth 89 % of the time."""
    rng, weights = np.random.default_rng(0), np.array([3, 1.5, 1, 0.5, 0.2, 0.0])
    every = (np.arange(64)[:, None] >> np.arange(6)) % 2 == 1

    def outputs(present: np.ndarray) -> np.ndarray:
        return np.tanh(present @ weights - 2) + present[:, 1] * present[:, 2]

    def signs(present: np.ndarray) -> np.ndarray:
        return np.where(present, 1.0, -1.0)

    truth, inside = whole(signs(every), kernel(outputs(every))), []
    for _ in range(300):
        drawn = rng.random((128, 6)) < 0.5
        found, likeness = signs(drawn), kernel(outputs(drawn))
        inside.append(np.abs(sampled(found, likeness) - truth) <= 1.96 * jackknifed(found, likeness))
    assert 0.91 <= np.mean(inside) <= 0.98


def test_a_flat_output_depends_on_nothing() -> None:
    assert not solve(hsic, lambda p: np.ones(len(p)), np.ones(3)).phi.any()
