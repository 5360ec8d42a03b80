"""Integrated gradients of an inner unit: the attributions sum to the unit's change from baseline to instance."""

from __future__ import annotations

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.game import Explaining, Game, Params
from workers.parameters import LAYER, UNIT
from workers.quadrature import max_steps, refined, tolerance
from workers.questions import Internals, Probe, Solution
from workers.units import unit_of

SPEC = MethodSpec(
    name="neuron_integrated_gradients",
    title="Neuron integrated gradients",
    summary="What each input element contributes to a unit's change from baseline to instance.",
    asks=("internals",),
    smooth_inputs=True,
    params=(LAYER, UNIT, tolerance("the unit's change"), max_steps(3, ", the two ends included")),
    layer="any",
    calls=Calls(gradients="max_steps", adaptive="tolerance > 0 and max_steps >= 50", least="18"),
    completeness=False,
    reference="Sundararajan, Taly & Yan, ICML 2017, of a unit; Captum (NeuronIntegratedGradients)",
    about="unit",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: the unit at both ends, then rules of more and more nodes until the gap is within the tolerance."""
    probe = Probe(unit=unit_of(game.layers[0], params["unit"]), inputs=True)
    ends = yield Internals(probe, np.array([1.0, 0.0]), np.zeros(2))
    best = yield from refined(
        lambda alphas, weights: Internals(probe, alphas, weights, factor="difference"),
        lambda answer: answer.sums,
        float(ends.outputs[0] - ends.outputs[1]),
        params["max_steps"] - 2,
        params["tolerance"],
    )
    return Solution(per_element=best.attribution, error=best.error, converged=best.converged, notes=best.notes)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return int(params["max_steps"])
