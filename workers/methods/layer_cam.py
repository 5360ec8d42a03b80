"""LayerCAM: the maps of a layer times the positive part of the gradient at each place.

M = ReLU(sum over channels k of ReLU(dS/dA_k) * A_k)

"""

from __future__ import annotations

import numpy as np

from workers.game import Explaining, Game, Params
from workers.maps import cam, drawn, maps_and_gradients

SPEC = cam(
    name="layer_cam",
    title="LayerCAM",
    summary="Where a layer's maps speak for the target: maps times their positive gradients, good for early layers too.",
    reference="Jiang et al., LayerCAM, IEEE TIP 2021",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: one look at the layer."""
    activation, gradient = yield from maps_and_gradients(game)
    raw = (np.maximum(gradient, 0) * activation).sum(axis=0)
    return drawn(game, raw, params)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1
