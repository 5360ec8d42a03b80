"""Integrated gradients of an inner unit: the attributions sum to the unit's change from baseline to instance."""

from __future__ import annotations

import math

import numpy as np

from explainery.contract.catalogue import MethodSpec, Param
from workers.game import Explaining, Game, Params
from workers.parameters import LAYER, UNIT
from workers.quadrature import completeness_gap, gauss_legendre, stages
from workers.questions import Floats, Internals, Probe, Solution
from workers.units import unit_of

SPEC = MethodSpec(
    name="neuron_integrated_gradients",
    title="Neuron integrated gradients",
    summary="What each input element contributes to a unit's change from baseline to instance.",
    asks=("internals",),
    smooth_inputs=True,
    params=(
        LAYER,
        UNIT,
        Param(
            name="tolerance",
            type="number",
            default=0.01,
            unit="share of the unit's change",
            minimum=0,
            maximum=1,
            help="Stop when the attributions miss the unit's change by at most this; 0: one rule of max_steps nodes.",
        ),
        Param(
            name="max_steps",
            type="integer",
            default=256,
            unit="gradient evaluations",
            minimum=3,
            maximum=100_000,
            help="Gradient evaluations a row may cost, over all stages, the two ends included.",
        ),
    ),
    layer="any",
    completeness=False,
    reference="Sundararajan, Taly & Yan, ICML 2017, of a unit; Captum (NeuronIntegratedGradients)",
)

ADVICE = "The attributions miss the unit's change by more than the tolerance; raise max_steps."


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: the unit at both ends, then rules of more and more nodes until the gap is within the tolerance."""
    probe = Probe(unit=unit_of(game.layers[0], params["unit"]), inputs=True)
    ends = yield Internals(probe, np.array([1.0, 0.0]), np.zeros(2))
    change, best = float(ends.outputs[0] - ends.outputs[1]), math.inf
    attribution: dict[str, Floats] = {}
    for steps in stages(params["max_steps"] - 2, params["tolerance"]):
        answer = yield Internals(probe, *gauss_legendre(steps), factor="difference")
        gap = completeness_gap(answer.sums, change)
        if gap < best or not attribution:
            best, attribution = gap, answer.sums
        if best <= params["tolerance"]:
            break
    converged = best <= params["tolerance"] if params["tolerance"] or best == 0 else None
    return Solution(per_element=attribution, error=best, converged=converged, notes=(ADVICE,) if converged is False else ())


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return int(params["max_steps"])
