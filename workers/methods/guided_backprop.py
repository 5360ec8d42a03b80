"""Guided backpropagation: the gradient with only what speaks for the output, ReLU by ReLU."""

from __future__ import annotations

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.game import Explaining, Game, Params
from workers.questions import Internals, Probe, Rules, Solution

SPEC = MethodSpec(
    name="guided_backprop",
    title="Guided backpropagation",
    summary=(
        "The gradient, where every ReLU lets pass only what is positive, forwards and backwards: sharp pictures of what "
        "excites the output. Only ReLUs are changed; without any it is the gradient."
    ),
    asks=("internals",),
    smooth_inputs=True,
    calls=Calls(gradients="1", shows="instance"),
    contributes=False,
    completeness=False,
    reference="Springenberg et al., Striving for Simplicity: The All Convolutional Net, ICLR workshop 2015",
    slopes=True,
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: the gradient at x under the guided rule."""
    answer = yield Internals(Probe(inputs=True, rules=Rules("guided_backprop")))
    return Solution(per_element=answer.sums)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1
