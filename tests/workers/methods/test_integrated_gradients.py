from __future__ import annotations

import numpy as np
import pytest
import torch
from by_hand import Solved, solve
from captum.attr import IntegratedGradients

from workers import quadrature
from workers.methods import integrated_gradients


def network() -> tuple[torch.nn.Module, np.ndarray, np.ndarray]:
    """A ReLU network in double precision, an instance and a baseline."""
    generator = torch.Generator().manual_seed(3)
    net = torch.nn.Sequential(torch.nn.Linear(6, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1)).double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return net, torch.randn(6, generator=generator).double().numpy(), np.full(6, 0.1)


def run(**params: float) -> Solved:
    net, x, b = network()

    def f(points: np.ndarray) -> np.ndarray:
        return net(torch.from_numpy(points)).detach().numpy()[:, 0]

    def gradient(points: np.ndarray) -> np.ndarray:
        inputs = torch.from_numpy(points).requires_grad_()
        return torch.autograd.grad(net(inputs).sum(), inputs)[0].numpy()

    return solve(integrated_gradients, f, x, b, gradient=gradient, params=params)


def test_linear() -> None:
    w, x, b = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, 6.0], [0.5, 0.5, 0.0]])
    solved = solve(integrated_gradients, lambda p: p @ w, x, b, gradient=lambda p: np.broadcast_to(w, p.shape))
    np.testing.assert_allclose(solved.phi, w * (x - b), rtol=1e-12)
    assert solved.evaluations == quadrature.FIRST_STEPS


def test_product_is_shared_by_halves() -> None:
    solved = solve(integrated_gradients, lambda p: p.prod(axis=1), [3.0, 5.0], gradient=lambda p: p[:, ::-1])
    np.testing.assert_allclose(solved.phi, [7.5, 7.5], rtol=1e-12)
    assert solved.solution.converged


@pytest.mark.parametrize("steps", [1, 20, 50, 200])
def test_equals_captum_without_a_tolerance(steps: int) -> None:
    net, x, b = network()
    captum = IntegratedGradients(net).attribute(
        torch.from_numpy(x)[None], torch.from_numpy(b)[None], target=0, n_steps=steps, method="gausslegendre"
    )
    solved = run(tolerance=0, max_steps=steps)
    np.testing.assert_allclose(solved.phi, captum[0].numpy(), atol=1e-5)
    assert [question.evaluations for question in solved.asked] == [steps]
    assert solved.solution.converged is None


def test_stops_when_the_gap_is_within_the_tolerance() -> None:
    solved = run(tolerance=0.002, max_steps=5000).solution
    net, x, b = network()
    difference = np.diff(net(torch.from_numpy(np.stack([b, x]))).detach().numpy()[:, 0])[0]
    assert solved.converged
    assert solved.error <= 0.002
    assert abs(solved.per_element["input"].sum() - difference) / abs(difference) == pytest.approx(solved.error)


def test_says_when_it_has_not_converged() -> None:
    solved = run(tolerance=1e-9, max_steps=100)
    assert solved.solution.converged is False
    assert solved.solution.error > 1e-9
    assert "raise max_steps" in solved.solution.notes[0]
    assert [question.evaluations for question in solved.asked] == [16, 84]


def test_keeps_the_best_stage() -> None:
    """On a step function more nodes are not always better."""
    errors = []
    for limit in (48, 112, 256):
        solved = solve(
            integrated_gradients,
            lambda p: np.maximum(p[:, 0] - 0.517, 0),
            [1.0],
            gradient=lambda p: (p > 0.517).astype(float),
            params={"tolerance": 1e-12, "max_steps": limit},
        )
        errors.append(solved.solution.error)
        gaps = [abs(w @ (a > 0.517) - 0.483) / 0.483 for a, w in ((q.alphas, q.weights) for q in solved.asked)]
        assert solved.solution.error == pytest.approx(min(gaps))
    assert min(errors) > 0


@pytest.mark.parametrize(
    ("limit", "stages"), [(256, [16, 32, 64, 144]), (64, [16, 48]), (48, [16, 32]), (40, [40]), (1, [1]), (16, [16])]
)
def test_stages_double_and_end_with_the_budget(limit: int, stages: list[int]) -> None:
    assert list(quadrature.stages(limit, 0.01)) == stages
    assert sum(stages) == integrated_gradients.cost(6, {"max_steps": limit})
    assert list(quadrature.stages(limit, 0.0)) == [limit]


def test_equal_outputs_are_no_division_by_zero() -> None:
    solved = solve(integrated_gradients, lambda p: np.zeros(len(p)), [1.0, 2.0], gradient=np.zeros_like)
    assert solved.solution.error == 0
    assert solved.solution.converged


@pytest.mark.parametrize("steps", [1, 7, 512, 513, 1300, 16384])
def test_the_rule_is_exact_on_polynomials_however_many_nodes(steps):
    alphas, weights = quadrature.gauss_legendre(steps)
    assert alphas.shape == weights.shape == (steps,)
    assert np.all((alphas > 0) & (alphas < 1) & (weights > 0))
    for power in range(2 * min(steps, 8)):
        assert np.isclose((weights * alphas**power).sum(), 1 / (power + 1), rtol=1e-12)
