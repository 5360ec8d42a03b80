"""Guided Grad-CAM: guided backprop on the input, kept where Grad-CAM's map is."""

from __future__ import annotations

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.game import Explaining, Game, Params
from workers.maps import maps_and_gradients, onto
from workers.parameters import LAYER
from workers.questions import Internals, Map, Probe, Rules, Solution

SPEC = MethodSpec(
    name="guided_grad_cam",
    title="Guided Grad-CAM",
    summary="Fine detail where a layer speaks for the target: guided backprop times the upsampled Grad-CAM map.",
    asks=("internals",),
    smooth_inputs=True,
    params=(LAYER,),
    layer="map",
    calls=Calls(gradients="2", shows="instance"),
    completeness=False,
    reference="Selvaraju et al., Grad-CAM, ICCV 2017",
    slopes=True,
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: one look at the layer, one backward pass under guided backprop's rule."""
    activation, gradient = yield from maps_and_gradients(game)
    raw = np.maximum(np.tensordot(gradient.mean(axis=(1, 2)), activation, 1), 0)
    guided = yield Internals(Probe(inputs=True, rules=Rules("guided_backprop")))
    shares = {view.name: guided.sums[view.name] * onto(raw, view) for view in game.inputs}
    return Solution(per_element=shares, maps=(Map("raw_map", raw, ("row", "column"), game.layers[0].path),))


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 2
