"""Integrated gradients at a layer: the path runs from the layer's output at the baseline to that at the instance.

    phi = (y(x) - y(b)) * integral over alpha in (0, 1) of dS/dy at y(b) + alpha (y(x) - y(b))

The attributions sum to the score's change when the layer's output goes from y(b) to y(x) while the inputs stay at x: all of
f(x) - f(b) where nothing by-passes the layer.
"""

from __future__ import annotations

import math

import numpy as np

from explainery.contract.catalogue import MethodSpec, Param
from workers.game import Explaining, Game, Params
from workers.parameters import LAYER
from workers.quadrature import completeness_gap, gauss_legendre, stages
from workers.questions import Floats, Internals, LayerPath, Probe, Solution

SPEC = MethodSpec(
    name="layer_integrated_gradients",
    title="Layer integrated gradients",
    summary="What each element of a layer's output contributes on its way from its baseline value.",
    asks=("internals",),
    params=(
        LAYER,
        Param(
            name="tolerance",
            type="number",
            default=0.01,
            unit="share of the score's change",
            minimum=0,
            maximum=1,
            help="Stop when the attributions miss the score's change by at most this; 0: one rule of max_steps nodes.",
        ),
        Param(
            name="max_steps",
            type="integer",
            default=256,
            unit="gradient evaluations",
            minimum=3,
            maximum=100_000,
            help="Gradient evaluations a row may cost, over all stages, the ends included.",
        ),
    ),
    layer="any",
    completeness=False,
    reference="Sundararajan, Taly & Yan, ICML 2017, at a layer; Captum (LayerIntegratedGradients)",
)

ADVICE = "The attributions miss the score's change by more than the tolerance; raise max_steps."


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: both ends of the path, then rules of more and more nodes until the gap is within the tolerance."""
    name = game.layers[0].path
    at = yield Internals(Probe((name,), activations=True))
    around = yield Internals(Probe((name,), activations=True), np.zeros(1), each=True)
    path = LayerPath(around.activations[name], at.activations[name])
    probe = Probe((name,), gradients=True, start=name)
    change, best = math.nan, math.inf
    attribution: Floats = np.zeros(0)
    for steps in stages(params["max_steps"] - 3, params["tolerance"]):
        answer = yield Internals(probe, *_with_ends(steps, first=math.isnan(change)), factor="difference", path=path)
        if math.isnan(change):
            change = float(answer.outputs[-1] - answer.outputs[-2])
        gap = completeness_gap({name: answer.gradients[name]}, change)
        if gap < best or not attribution.size:
            best, attribution = gap, answer.gradients[name]
        if best <= params["tolerance"]:
            break
    converged = best <= params["tolerance"] if params["tolerance"] or best == 0 else None
    return Solution(
        per_layer={name: attribution}, error=best, converged=converged, notes=(ADVICE,) if converged is False else ()
    )


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return int(params["max_steps"])


def _with_ends(steps: int, *, first: bool) -> tuple[Floats, Floats]:
    """A rule's nodes and weights; in the first one both ends are looked at, too, with no weight."""
    alphas, weights = gauss_legendre(steps)
    if not first:
        return alphas, weights
    return np.concatenate([alphas, [0.0, 1.0]]), np.concatenate([weights, [0.0, 0.0]])
