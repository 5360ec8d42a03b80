"""How a linear layer hands its relevance to its inputs: the rules of layer-wise relevance propagation.

For contributions z_ij = x_i w_ij (and the bias b_j), with P_j the sum of the positive and N_j of the negative ones:

    R_i = sum over j of  z_ij+ s_j + z_ij- t_j

* epsilon: s = t = R / (P + N), pushed off zero (Bach et al. 2015);
* gamma: the contributions of the output's own sign count 1 + gamma times (Montavon et al. 2019; for outputs of either sign);
* alpha-beta: s = alpha R / P, t = -beta R / N, alpha - beta = 1; where an output has contributions of one sign only, they take
  all (Bach et al. 2015);
* flat: every input of the window takes the same share, whatever its value (Lapuschkin et al. 2019);
* box: contributions beyond the lowest or highest value that an input may have (Montavon et al. 2017, z^B).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from workers.inside.backward.affine import Layer

Shares = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""(R, P, N) -> (s, t), each shaped like the output."""
Back = Callable[[torch.Tensor], tuple[torch.Tensor, ...]]
"""The output's relevance -> that of each input."""


def stable(z: torch.Tensor, epsilon: float) -> torch.Tensor:
    """`z` pushed off zero by `epsilon`, away from zero; zero counts as positive."""
    return z + torch.where(z < 0, -epsilon, epsilon)


def share(relevance: torch.Tensor, z: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Relevance per unit of z; none where z is zero."""
    z = stable(z, epsilon)
    return torch.where(z == 0, 0.0, relevance / torch.where(z == 0, 1.0, z))


class _Handed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Callable[[], torch.Tensor], back: Back, *inputs: torch.Tensor) -> torch.Tensor:
        ctx.back = back
        return value()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return None, None, *ctx.back(gradients[0])


def handed(value: torch.Tensor, back: Back, *inputs: torch.Tensor) -> torch.Tensor:
    """`value`, a new tensor, whose relevance goes to the inputs as `back` says."""
    made: torch.Tensor = _Handed.apply(lambda: value, back, *inputs)  # type: ignore[no-untyped-call]
    return made


def by_value(function: Callable[..., torch.Tensor], epsilon: float, *inputs: torch.Tensor) -> torch.Tensor:
    """Any function that is linear but for a shift: R_i = x_i (d/dx_i) (R / f), summed over the outputs (the epsilon rule)."""
    with torch.enable_grad():
        leaves = [tensor.detach().clone().requires_grad_() for tensor in inputs]
        y = function(*leaves)
    z = y.detach()

    def back(relevance: torch.Tensor) -> tuple[torch.Tensor, ...]:
        slopes = torch.autograd.grad(
            y, leaves, share(relevance, z, epsilon), retain_graph=True, materialize_grads=True, allow_unused=True
        )
        return tuple(leaf.detach() * slope for leaf, slope in zip(leaves, slopes, strict=True))

    return handed(z.clone(), back, *inputs)  # a clone: a model may write into it


def by_sign(layer: Layer, shares: Shares) -> torch.Tensor:
    """A layer whose positive and negative contributions are weighed apart."""
    x = layer.x.detach().clone()

    def back(relevance: torch.Tensor) -> tuple[torch.Tensor, ...]:
        with torch.enable_grad():
            above, below = x.clamp(min=0).requires_grad_(), x.clamp(max=0).requires_grad_()
            up, down = layer.weight.clamp(min=0), layer.weight.clamp(max=0)
            positive = layer.apply(above, up) + layer.apply(below, down)
            negative = layer.apply(above, down) + layer.apply(below, up)
        bias = layer.bias if layer.bias is not None else positive.new_zeros(())
        s, t = shares(relevance, positive.detach() + bias.clamp(min=0), negative.detach() + bias.clamp(max=0))
        slopes = torch.autograd.grad((positive, negative), (above, below), (s, t))
        return (above.detach() * slopes[0] + below.detach() * slopes[1],)

    with torch.no_grad():
        value = layer.value()
    return handed(value, back, layer.x)


def evenly(layer: Layer, epsilon: float) -> torch.Tensor:
    """The flat rule."""
    x = layer.x.detach()

    def back(relevance: torch.Tensor) -> tuple[torch.Tensor, ...]:
        with torch.enable_grad():
            ones = torch.ones_like(x).requires_grad_()
            counts = layer.apply(ones, torch.ones_like(layer.weight))
        return torch.autograd.grad(counts, ones, share(relevance, counts.detach(), epsilon))

    with torch.no_grad():
        value = layer.value()
    return handed(value, back, layer.x)


def in_box(layer: Layer, epsilon: float, low: float | None, high: float | None) -> torch.Tensor:
    """The box rule; a bound that is not given is the row's own lowest or highest value (zero at least, and at most)."""
    x = layer.x.detach().clone()
    rows = [-1] + [1] * (x.ndim - 1)
    floor = (
        x.flatten(1).amin(1).clamp(max=0).reshape(rows) if low is None else torch.tensor(low, dtype=x.dtype, device=x.device)
    )
    roof = (
        x.flatten(1).amax(1).clamp(min=0).reshape(rows) if high is None else torch.tensor(high, dtype=x.dtype, device=x.device)
    )

    def back(relevance: torch.Tensor) -> tuple[torch.Tensor, ...]:
        points = [x.requires_grad_(), floor.expand_as(x).clone().requires_grad_(), roof.expand_as(x).clone().requires_grad_()]
        with torch.enable_grad():
            parts = [layer.apply(points[0], layer.weight), layer.apply(points[1], layer.weight.clamp(min=0))]
            z = parts[0] - parts[1] - layer.apply(points[2], layer.weight.clamp(max=0))
        slopes = torch.autograd.grad(z, points, share(relevance, z.detach(), epsilon))
        return (sum(point.detach() * slope for point, slope in zip(points, slopes, strict=True)),)  # type: ignore[return-value]

    with torch.no_grad():
        value = layer.value()
    return handed(value, back, layer.x)


def gamma_shares(gamma: float, epsilon: float) -> Shares:
    """The gamma rule."""

    def shares(relevance: torch.Tensor, positive: torch.Tensor, negative: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        up = positive + negative >= 0
        own = torch.where(up, positive, negative)
        each = share(relevance, positive + negative + gamma * own, epsilon)
        return torch.where(up, (1 + gamma) * each, each), torch.where(up, each, (1 + gamma) * each)

    return shares


def alpha_beta_shares(alpha: float, epsilon: float) -> Shares:
    """The alpha-beta rule, beta = alpha - 1."""

    def shares(relevance: torch.Tensor, positive: torch.Tensor, negative: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        one_sign = (positive == 0) | (negative == 0)
        up = torch.where(one_sign, 1.0, alpha) * share(relevance, positive, epsilon)
        down = torch.where(one_sign, 1.0, 1 - alpha) * share(relevance, negative, epsilon)
        return up, down

    return shares
