from __future__ import annotations

import numpy as np
import torch
from by_hand import solve
from captum.attr import InputXGradient, NoiseTunnel, Saliency

from workers.draws import gaussian
from workers.methods import input_x_gradient, saliency, smoothgrad, square_grad, var_grad

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


def noisy_gradients(samples: int, noise: float, seed: int) -> np.ndarray:
    scale = noise * (X.max() - X.min())
    return gradient(np.stack([X + scale * gaussian(seed, "noise/input", draw, X.shape) for draw in range(samples)]))


def test_kin_of_smoothgrad_by_their_formulas() -> None:
    drawn, params = noisy_gradients(9, 0.2, 11), {"samples": 9, "noise": 0.2}
    solved = {method: solve(method, f, X, gradient=gradient, params=params, seed=11) for method in (var_grad, square_grad)}
    np.testing.assert_allclose(solved[var_grad].phi, drawn.var(axis=0), rtol=1e-10)
    np.testing.assert_allclose(solved[square_grad].phi, (drawn**2).mean(axis=0), rtol=1e-10)
    assert solved[var_grad].evaluations == var_grad.cost(4, params) == 9


def test_kin_of_smoothgrad_agree_with_captums_noise_tunnel() -> None:
    torch.manual_seed(0)
    scale, tunnel = 0.1 * (X.max() - X.min()), NoiseTunnel(Saliency(torch_f))
    for method, kind in ((smoothgrad, "smoothgrad"), (square_grad, "smoothgrad_sq"), (var_grad, "vargrad")):
        expected = tunnel.attribute(
            torch.from_numpy(X)[None].requires_grad_(), nt_type=kind, nt_samples=4000, stdevs=scale, abs=False
        )
        solved = solve(method, f, X, gradient=gradient, params={"samples": 4000, "noise": 0.1})
        np.testing.assert_allclose(solved.phi, expected[0].detach().numpy(), atol=0.03 * np.abs(solved.phi).max())


def test_smoothgrads_standard_error() -> None:
    solution = solve(smoothgrad, f, X, gradient=gradient, params={"samples": 9, "noise": 0.2}, seed=11).solution
    widened = 2.306004 / 1.959964  # Student's t with 8 degrees of freedom, in place of the normal
    expected = widened * noisy_gradients(9, 0.2, 11).std(axis=0, ddof=1) / 3
    np.testing.assert_allclose(solution.standard_error["input"], expected, rtol=1e-6)
    alone = solve(smoothgrad, f, X, gradient=gradient, params={"samples": 1}).solution
    assert alone.standard_error is None


def test_a_copy_is_called_once_however_large_the_background() -> None:
    solved = solve(smoothgrad, f, X, np.zeros((3, *X.shape)), gradient=gradient, params={"samples": 5})
    np.testing.assert_array_equal(solved.asked[0].baselines, np.zeros(5))
