"""Input x gradient: the first-order share of each element when the baseline is zero."""

from __future__ import annotations

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.game import Explaining, Game, Params
from workers.questions import Gradients, Solution

SPEC = MethodSpec(
    name="input_x_gradient",
    title="Input x gradient",
    summary="Each input element times the gradient at the instance: exact shares for a linear model with a zero baseline.",
    asks=("gradients",),
    calls=Calls(gradients="1"),
    completeness=False,
    reference="Shrikumar, Greenside, Shcherbina & Kundaje, Not Just a Black Box, 2016, arXiv:1605.01713",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: x * df/dx at x."""
    product = yield Gradients(alphas=np.ones(1), weights=np.ones(1), factor="instance")
    return Solution(per_element=product.sums)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1
