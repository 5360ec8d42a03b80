"""Integrated gradients at a layer: the path runs from the layer's output at the baseline to that at the instance.

    phi = (y(x) - y(b)) * integral over alpha in (0, 1) of dS/dy at y(b) + alpha (y(x) - y(b))

The attributions sum to the score's change when the layer's output goes from y(b) to y(x) while the inputs stay at x: all of
f(x) - f(b) where nothing by-passes the layer.
"""

from __future__ import annotations

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.game import Explaining, Game, Params
from workers.parameters import LAYER
from workers.quadrature import max_steps, refined, tolerance
from workers.questions import Internals, LayerPath, Probe, Solution

SPEC = MethodSpec(
    name="layer_integrated_gradients",
    title="Layer integrated gradients",
    summary="What each element of a layer's output contributes on its way from its baseline value.",
    asks=("internals",),
    params=(LAYER, tolerance("the score's change"), max_steps(5, ", the ends included")),
    layer="any",
    calls=Calls(gradients="max_steps", adaptive="tolerance > 0 and max_steps >= 52", least="20", shows="instance"),
    completeness=False,
    reference="Sundararajan, Taly & Yan, ICML 2017, at a layer; Captum (LayerIntegratedGradients)",
    about="layer",
)


LOOKS = 4
"""At both ends of the path, and at the score there."""


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: both ends of the path, then rules of more and more nodes until the gap is within the tolerance."""
    name = game.layers[0].path
    at = yield Internals(Probe((name,), activations=True))
    around = yield Internals(Probe((name,), activations=True), np.zeros(1), each=True)
    path = LayerPath(around.activations[name], at.activations[name])
    ends = yield Internals(Probe((name,), start=name), np.array([1.0, 0.0]), np.zeros(2), path=path)
    best = yield from refined(
        lambda alphas, weights: Internals(
            Probe((name,), gradients=True, start=name), alphas, weights, factor="difference", path=path
        ),
        lambda answer: {name: answer.gradients[name]},
        float(ends.outputs[0] - ends.outputs[1]),
        params["max_steps"] - LOOKS,
        params["tolerance"],
    )
    return Solution(per_layer=best.attribution, error=best.error, converged=best.converged, notes=best.notes)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return int(params["max_steps"])
