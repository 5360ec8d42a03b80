from __future__ import annotations

import numpy as np
import torch
from by_hand import solve
from captum.attr import InputXGradient, Saliency

from workers.draws import gaussian
from workers.methods import input_x_gradient, saliency, smoothgrad

X = np.array([[0.3, -1.2], [2.0, 0.7]])


def f(points: np.ndarray) -> np.ndarray:
    return np.sin(points[:, 0, 0]) * points[:, 1, 0] ** 2 + points[:, 0, 1] * points[:, 1, 1]


def torch_f(points: torch.Tensor) -> torch.Tensor:
    return torch.sin(points[:, 0, 0]) * points[:, 1, 0] ** 2 + points[:, 0, 1] * points[:, 1, 1]


def gradient(points: np.ndarray) -> np.ndarray:
    a, b, c, d = points[:, 0, 0], points[:, 0, 1], points[:, 1, 0], points[:, 1, 1]
    return np.stack([np.stack([np.cos(a) * c**2, d], -1), np.stack([2 * np.sin(a) * c, b], -1)], axis=1)


def test_saliency_is_captums_signed_gradient() -> None:
    solved = solve(saliency, f, X, 0.5, gradient=gradient)
    expected = Saliency(torch_f).attribute(torch.from_numpy(X)[None].requires_grad_(), abs=False)
    np.testing.assert_allclose(solved.phi, expected[0].detach().numpy(), rtol=1e-12)
    assert solved.evaluations == saliency.cost(4, {}) == 1


def test_input_x_gradient_is_captums() -> None:
    solved = solve(input_x_gradient, f, X, 0.5, gradient=gradient)
    expected = InputXGradient(torch_f).attribute(torch.from_numpy(X)[None].requires_grad_())
    np.testing.assert_allclose(solved.phi, expected[0].detach().numpy(), rtol=1e-12)
    assert solved.evaluations == input_x_gradient.cost(4, {}) == 1


def test_smoothgrad_is_the_mean_of_noisy_gradients() -> None:
    solved = solve(smoothgrad, f, X, gradient=gradient, params={"samples": 7, "noise": 0.2}, seed=11)
    noisy = np.stack([X + 0.2 * (X.max() - X.min()) * gaussian(11, "noise/input", draw, X.shape) for draw in range(7)])
    np.testing.assert_allclose(solved.phi, gradient(noisy).mean(axis=0), rtol=1e-12)
    assert solved.evaluations == smoothgrad.cost(4, {"samples": 7}) == 7


def test_smoothgrad_without_noise_is_saliency() -> None:
    solved = solve(smoothgrad, f, X, gradient=gradient, params={"noise": 0.0})
    np.testing.assert_allclose(solved.phi, solve(saliency, f, X, gradient=gradient).phi, rtol=1e-12)


def test_smoothgrad_belongs_to_its_seed() -> None:
    one, again, other = (solve(smoothgrad, f, X, gradient=gradient, seed=seed).phi for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, other)
