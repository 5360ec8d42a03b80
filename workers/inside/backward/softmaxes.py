"""DeepLIFT through softmax and its kin: the Rescale rule of exp, and what the sum to one then leaves.

With p and q the probabilities at x and b, and L_i their logarithmic mean (p_i - q_i) / (log p_i - log q_i):

    p_i - q_i = L_i ((x_i - b_i) - (lse(x) - lse(b)))        the line of exp through its two points
    lse(x) - lse(b) = sum of w_j (x_j - b_j),  w = L / sum L   because the left sides above sum to zero

So the multipliers are softmax's own Jacobian diag(L) - L L' / sum L at mean probabilities: exact, bounded, the same when all
scores move together, and the gradient where the two points meet. (captum's rule for softmax is not complete.)
"""

from __future__ import annotations

from typing import Any

import torch

from workers.inside.backward.answered import answered
from workers.inside.backward.calls import Call
from workers.inside.backward.halves import Mixed, reduced_axes
from workers.inside.backward.paired import Paired
from workers.inside.backward.rescale import nearness


def softmax(mode: Paired, call: Call) -> Any:
    """Probabilities."""
    x, axis, dims = _over(mode, call)
    means, weights, points = _means(mode, x, dims)
    value = call.value()
    return answered(lambda: value, means * (points - (weights * points).sum(dims, keepdim=True)), axis)


def log_softmax(mode: Paired, call: Call) -> Any:
    """Logarithms of probabilities."""
    x, axis, dims = _over(mode, call)
    _, weights, points = _means(mode, x, dims)
    value = call.value()
    return answered(lambda: value, points - (weights * points).sum(dims, keepdim=True), axis)


def logsumexp(mode: Paired, call: Call) -> Any:
    """The logarithm of a sum of exponentials."""
    x, _, dims = _over(mode, call)
    _, weights, points = _means(mode, x, dims)
    value = call.value()
    keep = bool(call.bound("input", "dim", "keepdim")["keepdim"])
    return answered(lambda: value, (weights * points).sum(dims, keepdim=keep), mode.axes.after(call, value))


def _over(mode: Paired, call: Call) -> tuple[torch.Tensor, int, tuple[int, ...]]:
    """The scores, the axis of points, and the axes that the probabilities sum over. Raises Mixed where these are the same."""
    bound = call.bound("input", "dim")
    x, dim = bound["input"], bound["dim"]
    axis, dims = mode.axes.of(x), () if dim is None else reduced_axes(dim, x.ndim)
    if not dims or axis in dims:
        raise Mixed
    return x, axis, dims


def _means(mode: Paired, x: torch.Tensor, dims: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """L, w and the scores, at the instances."""
    with torch.no_grad():
        here, there = (half - torch.logsumexp(half, dims, keepdim=True) for half in mode.axes.halves(x))
        step = here - there
        near = ~(step.abs() > nearness(x.dtype))  # also where a score is masked: no number, and the probability is zero
        means = torch.where(near, here.exp(), (here.exp() - there.exp()) / torch.where(near, 1.0, step))
        weights = means / means.sum(dims, keepdim=True)
    return means, weights, mode.axes.halves(x)[0]
