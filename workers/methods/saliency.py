"""Saliency: the gradient of the output at the instance, with its sign."""

from __future__ import annotations

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.game import Explaining, Game, Params
from workers.questions import Gradients, Solution

SPEC = MethodSpec(
    name="saliency",
    title="Saliency (gradient)",
    summary="How fast the output changes with each input element: the signed gradient at the instance.",
    asks=("gradients",),
    calls=Calls(gradients="1"),
    contributes=False,
    completeness=False,
    reference="Simonyan, Vedaldi & Zisserman, Deep Inside Convolutional Networks, ICLR workshop 2014",
    slopes=True,
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: df/dx at x."""
    gradient = yield Gradients(alphas=np.ones(1), weights=np.ones(1))
    return Solution(per_element=gradient.sums)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 1
