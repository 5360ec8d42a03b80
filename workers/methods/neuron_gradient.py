"""Neuron gradient: how an inner unit changes with each input element."""

from __future__ import annotations

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.game import Explaining, Game, Params
from workers.parameters import LAYER, UNIT
from workers.questions import Internals, Probe, Solution
from workers.units import unit_of

SPEC = MethodSpec(
    name="neuron_gradient",
    title="Neuron gradient",
    summary="How fast a unit of a layer, or the mean of a channel, changes with each input element.",
    asks=("internals",),
    smooth_inputs=True,
    params=(LAYER, UNIT),
    layer="any",
    calls=Calls(gradients="1"),
    contributes=False,
    completeness=False,
    reference="Kokhlikyan et al., Captum, arXiv 2009.07896, 2020 (NeuronGradient)",
    about="unit",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: d unit / dx at x."""
    answer = yield Internals(Probe(unit=unit_of(game.layers[0], params["unit"]), inputs=True))
    return Solution(per_element=answer.sums)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1
