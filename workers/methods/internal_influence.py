"""Internal influence: the gradient of the score to a layer's output, averaged on the path from baseline to instance."""

from __future__ import annotations

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.game import Explaining, Game, Params
from workers.parameters import LAYER, PATH_STEPS
from workers.quadrature import gauss_legendre
from workers.questions import Internals, Probe, Solution

SPEC = MethodSpec(
    name="internal_influence",
    title="Internal influence",
    summary="How strongly each element of a layer's output moves the score, averaged from baseline to instance.",
    asks=("internals",),
    smooth_inputs=True,
    params=(LAYER, PATH_STEPS),
    layer="any",
    calls=Calls(gradients="max_steps"),
    contributes=False,
    completeness=False,
    reference="Leino et al., Influence-Directed Explanations for Deep Convolutional Networks, ITC 2018",
    about="layer",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: the integral of dS/dy over the path, by a Gauss-Legendre rule."""
    alphas, weights = gauss_legendre(params["max_steps"])
    answer = yield Internals(Probe((game.layers[0].path,), gradients=True), alphas, weights)
    return Solution(per_layer=answer.gradients)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return int(params["max_steps"])
