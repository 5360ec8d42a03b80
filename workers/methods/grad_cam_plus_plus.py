"""Grad-CAM++: the maps of a layer, weighted by positive gradients that count each place by itself.

    M = ReLU(sum over channels k of w_k A_k),  w_k = sum over places of a_k ReLU(dY/dA_k)
    a_k = (dS/dA_k)^2 / (2 (dS/dA_k)^2 + (sum over places of A_k) (dS/dA_k)^3)

for Y = exp(S), as the paper has it; the common factor exp(S) of all weights is left out.

"""

from __future__ import annotations

import numpy as np

from workers.game import Explaining, Game, Params
from workers.maps import cam, drawn, maps_and_gradients

SPEC = cam(
    name="grad_cam_plus_plus",
    title="Grad-CAM++",
    summary="Where a layer's maps speak for the target, also where it is there several times: positive gradients, by place.",
    reference="Chattopadhay et al., Grad-CAM++, WACV 2018",
)

TINY = 1e-30
"""Below this a divisor is zero: the channel gets no weight."""


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: one look at the layer."""
    activation, gradient = yield from maps_and_gradients(game)
    square, cube = gradient**2, gradient**3
    below = 2 * square + activation.sum(axis=(1, 2), keepdims=True) * cube
    share = np.divide(square, below, out=np.zeros_like(square), where=np.abs(below) > TINY)
    weights = (share * np.maximum(gradient, 0)).sum(axis=(1, 2))
    raw = np.tensordot(weights, activation, 1)
    return drawn(game, raw, params)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1
