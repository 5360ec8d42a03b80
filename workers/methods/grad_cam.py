"""Grad-CAM: the maps of a layer, weighted by the mean gradient of the score to each.

M = ReLU(sum over channels k of w_k A_k),  w_k = mean over places of dS/dA_k

"""

from __future__ import annotations

import numpy as np

from workers.game import Explaining, Game, Params
from workers.maps import cam, drawn, maps_and_gradients

SPEC = cam(
    name="grad_cam",
    title="Grad-CAM",
    summary="Where a layer's maps speak for the target: the maps, weighted by their mean gradients.",
    reference="Selvaraju et al., Grad-CAM, ICCV 2017",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: one look at the layer."""
    activation, gradient = yield from maps_and_gradients(game)
    raw = np.tensordot(gradient.mean(axis=(1, 2)), activation, 1)
    return drawn(game, raw, params)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1
