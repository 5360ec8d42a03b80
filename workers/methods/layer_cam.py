"""LayerCAM: the maps of a layer times the positive part of the gradient at each place.

M = ReLU(sum over channels k of ReLU(dS/dA_k) * A_k)

"""

from __future__ import annotations

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.game import Explaining, Game, Params
from workers.maps import channels_of, drawn, look
from workers.parameters import LAYER, RELU

SPEC = MethodSpec(
    name="layer_cam",
    title="LayerCAM",
    summary="Where a layer's maps speak for the target: maps times their positive gradients, good for early layers too.",
    asks=("internals",),
    params=(LAYER, RELU),
    layer="map",
    calls=Calls(gradients="1", shows="instance"),
    completeness=False,
    reference="Jiang et al., LayerCAM, IEEE TIP 2021",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: one look at the layer."""
    answer = yield look(game)
    layer = game.layers[0]
    activation, gradient = (channels_of(layer, part[layer.path]) for part in (answer.activations, answer.gradients))
    raw = (np.maximum(gradient, 0) * activation).sum(axis=0)
    return drawn(game, np.maximum(raw, 0) if params["relu"] else raw)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1
