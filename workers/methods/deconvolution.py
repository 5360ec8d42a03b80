"""Deconvolution: what speaks for the output, sent back through the net whatever its ReLUs did."""

from __future__ import annotations

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.game import Explaining, Game, Params
from workers.questions import Internals, Probe, Rules, Solution

SPEC = MethodSpec(
    name="deconvolution",
    title="Deconvolution",
    summary=(
        "The gradient, where every ReLU lets pass backwards only what is positive, whatever it did forwards. "
        "Only ReLUs are changed; without any it is the gradient."
    ),
    asks=("internals",),
    smooth_inputs=True,
    calls=Calls(gradients="1", shows="instance"),
    contributes=False,
    completeness=False,
    reference="Zeiler & Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014",
    slopes=True,
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: the gradient at x under the deconvolution rule."""
    answer = yield Internals(Probe(inputs=True, rules=Rules("deconvolution")))
    return Solution(per_element=answer.sums)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1
