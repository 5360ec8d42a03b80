from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from by_hand import Solved, solve
from captum.attr import GradientShap

from workers.methods import expected_gradients

RNG = np.random.Generator(np.random.PCG64(4))
BACKGROUND = RNG.normal(size=(5, 6))
X = RNG.normal(size=6)


INNER, OUTER = RNG.normal(size=(6, 16)), RNG.normal(size=16)


def f(points: np.ndarray) -> np.ndarray:
    return np.tanh(points @ INNER) @ OUTER


def gradient(points: np.ndarray) -> np.ndarray:
    return ((1 - np.tanh(points @ INNER) ** 2) * OUTER) @ INNER.T


def net(points: torch.Tensor) -> torch.Tensor:
    return torch.tanh(points @ torch.from_numpy(INNER)) @ torch.from_numpy(OUTER)


def captums(samples: int) -> np.ndarray:
    """Twenty answers of captum's."""
    torch.manual_seed(0)
    inputs, baselines = torch.from_numpy(X)[None], torch.from_numpy(BACKGROUND)
    method = GradientShap(net)
    return np.stack([method.attribute(inputs, baselines, n_samples=samples)[0].detach().numpy() for _ in range(20)])


run = partial(solve, expected_gradients, f, X, BACKGROUND, gradient=gradient)


def truth() -> np.ndarray:
    """Integrated gradients of every baseline, with many nodes, averaged."""
    nodes, weights = np.polynomial.legendre.leggauss(200)
    parts = []
    for b in BACKGROUND:
        points = b + (nodes[:, None] + 1) / 2 * (X - b)
        parts.append((X - b) * np.tensordot(weights / 2, gradient(points), axes=1))
    return np.mean(parts, axis=0)


def test_close_to_integrated_gradients_averaged_over_the_background_and_complete() -> None:
    solved = run(params={"samples": 4096, "tolerance": 0.0})
    np.testing.assert_allclose(solved.phi, truth(), atol=0.02 * np.ptp(truth()))
    assert solved.phi.sum() == pytest.approx(f(X[None])[0] - f(BACKGROUND).mean(), abs=1e-9)
    assert solved.evaluations == 25 * 160 <= expected_gradients.cost(6, {"samples": 4096})


def test_captums_gradient_shap_agrees_within_its_sampling_error() -> None:
    draws = captums(200)
    error = draws.std(axis=0, ddof=1) / np.sqrt(len(draws))
    ours = run(params={"samples": 4096, "tolerance": 0.0}).phi
    assert (np.abs(ours - draws.mean(axis=0)) <= 4 * error).all()


def test_far_nearer_than_captum_for_the_same_calls() -> None:
    ours = [run(params={"samples": 256, "tolerance": 0.0}, seed=seed).phi for seed in range(20)]
    errors = [np.mean((np.array(found) - truth()) ** 2) for found in (ours, captums(256))]
    assert errors[0] < errors[1] / 4


def test_intervals_cover_the_truth() -> None:
    """At fixed budgets, with more and fewer samples in a round than baselines, and where the tolerance stopped."""
    for samples, tolerance in ((64, 0.0), (256, 0.0), (2048, 0.02)):
        inside = []
        for seed in range(30):
            solution = run(params={"samples": samples, "tolerance": tolerance}, seed=seed).solution
            off = np.abs(solution.per_element["input"] - truth())
            inside.append(off <= 1.96 * solution.standard_error["input"])
        assert 0.90 <= np.mean(inside) <= 0.995, (samples, np.mean(inside))


def test_stops_at_its_tolerance_and_says_so() -> None:
    loose, tight = (run(params={"samples": 4096, "tolerance": tolerance}) for tolerance in (0.1, 1e-5))
    assert loose.evaluations < tight.evaluations == 25 * 160
    assert loose.solution.converged
    assert loose.solution.error <= 0.1
    assert tight.solution.converged is False
    assert "raise samples" in tight.solution.notes[0]


def dealt(samples: int, backgrounds: int) -> list[np.ndarray]:
    return [question.baselines for question in expected_gradients.rounds(samples, backgrounds, 0)]


def test_baselines_are_dealt_out_evenly() -> None:
    assert [len(one) for one in dealt(160, 3)] == [6] * 26
    for backgrounds in (3, 4):  # odd numbers and even ones
        for question in expected_gradients.rounds(16 * 8 * backgrounds, backgrounds, 0):
            np.testing.assert_array_equal(np.bincount(question.baselines), np.full(backgrounds, 8))
            for baseline in range(backgrounds):  # and each along the whole path
                places = question.alphas[question.baselines == baseline]
                np.testing.assert_array_equal(np.sort(np.floor(places * 8)), np.arange(8))
    np.testing.assert_array_equal(np.bincount(np.concatenate(dealt(64, 32))), np.full(32, 2))


def test_more_samples_keep_the_places_of_fewer() -> None:
    for fewer, more in zip(expected_gradients.rounds(512, 3, 7), expected_gradients.rounds(2048, 3, 7), strict=True):
        count = len(fewer.alphas)
        np.testing.assert_array_equal(more.alphas[:count], fewer.alphas)
        np.testing.assert_array_equal(more.baselines[:count], fewer.baselines)


def test_four_samples_are_four_rounds() -> None:
    solved: Solved = run(params={"samples": 4})
    assert solved.evaluations == 4
    assert solved.solution.standard_error is not None
