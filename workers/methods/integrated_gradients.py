"""Integrated Gradients, refined until the attributions sum to the output difference.

    phi = (x - b) * integral over alpha in (0, 1) of df/dx at b + alpha (x - b)

The integral is a Gauss-Legendre rule. Rules of different size share no nodes, so each stage is a new rule of about twice the
nodes, and the best one is kept.
"""

from __future__ import annotations

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.game import Explaining, Game, Params
from workers.quadrature import max_steps, refined, tolerance
from workers.questions import Gradients, Solution

SPEC = MethodSpec(
    name="integrated_gradients",
    title="Integrated Gradients",
    summary="The gradient averaged on the straight path from baseline to instance, times their difference.",
    asks=("gradients",),
    params=(tolerance("the output difference"), max_steps(1)),
    calls=Calls(gradients="max_steps", adaptive="tolerance > 0 and max_steps >= 48", least="16"),
    completeness=True,
    reference="Sundararajan, Taly & Yan, Axiomatic Attribution for Deep Networks, ICML 2017",
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: integrate with more and more nodes until the gap is within the tolerance."""
    best = yield from refined(
        lambda alphas, weights: Gradients(alphas, weights, factor="difference"),
        lambda answer: answer.sums,
        game.difference,
        params["max_steps"],
        params["tolerance"],
    )
    return Solution(per_element=best.attribution, error=best.error, converged=best.converged, notes=best.notes)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return int(params["max_steps"])
