"""Grad-CAM: the maps of a layer, weighted by the mean gradient of the score to each.

M = ReLU(sum over channels k of w_k A_k),  w_k = mean over places of dS/dA_k

"""

from __future__ import annotations

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.game import Explaining, Game, Params
from workers.maps import channels_of, drawn, look
from workers.parameters import LAYER, RELU

SPEC = MethodSpec(
    name="grad_cam",
    title="Grad-CAM",
    summary="Where a layer's maps speak for the target: the maps, weighted by their mean gradients.",
    asks=("internals",),
    params=(LAYER, RELU),
    layer="map",
    calls=Calls(gradients="1", shows="instance"),
    completeness=False,
    reference="Selvaraju et al., Grad-CAM, ICCV 2017",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: one look at the layer."""
    answer = yield look(game)
    layer = game.layers[0]
    activation, gradient = (channels_of(layer, part[layer.path]) for part in (answer.activations, answer.gradients))
    raw = np.tensordot(gradient.mean(axis=(1, 2)), activation, 1)
    return drawn(game, np.maximum(raw, 0) if params["relu"] else raw)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1
