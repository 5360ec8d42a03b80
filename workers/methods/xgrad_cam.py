"""XGrad-CAM: the maps of a layer, weighted by the gradients in proportion to the activation.

M = ReLU(sum over channels k of w_k A_k),  w_k = sum of (dS/dA_k * A_k) / sum of A_k

"""

from __future__ import annotations

import numpy as np

from workers.game import Explaining, Game, Params
from workers.maps import cam, drawn, maps_and_gradients

SPEC = cam(
    name="xgrad_cam",
    title="XGrad-CAM",
    summary="Where a layer's maps speak for the target: each map weighted by its gradients where it is active.",
    reference="Fu et al., Axiom-based Grad-CAM, BMVC 2020",
)

TINY = 1e-30
"""Below this a divisor is zero: the channel gets no weight."""


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: one look at the layer."""
    activation, gradient = yield from maps_and_gradients(game)
    total = activation.sum(axis=(1, 2))
    share = (gradient * activation).sum(axis=(1, 2))
    weights = np.divide(share, total, out=np.zeros_like(share), where=np.abs(total) > TINY)
    raw = np.tensordot(weights, activation, 1)
    return drawn(game, raw, params)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1
