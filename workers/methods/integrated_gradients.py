"""Integrated Gradients, refined until the attributions sum to the output difference.

    phi = (x - b) * integral over alpha in (0, 1) of df/dx at b + alpha (x - b)

The integral is a Gauss-Legendre rule. Rules of different size share no nodes, so each stage is a new rule of about twice the
nodes, and the best one is kept.
"""

from __future__ import annotations

import math

from explainery.contract.catalogue import MethodSpec, Param
from workers.game import Explaining, Game, Params
from workers.quadrature import completeness_gap, gauss_legendre, stages
from workers.questions import Floats, Gradients, Solution

SPEC = MethodSpec(
    name="integrated_gradients",
    title="Integrated Gradients",
    summary="The gradient averaged on the straight path from baseline to instance, times their difference.",
    asks=("gradients",),
    params=(
        Param(
            name="tolerance",
            type="number",
            default=0.01,
            unit="share of the output difference",
            minimum=0,
            maximum=1,
            help="Stop when the completeness gap is at most this; 0: one rule of max_steps nodes.",
        ),
        Param(
            name="max_steps",
            type="integer",
            default=256,
            unit="gradient evaluations",
            minimum=1,
            maximum=100_000,
            help="Gradient evaluations a row may cost, over all stages.",
        ),
    ),
    completeness=True,
    reference="Sundararajan, Taly & Yan, Axiomatic Attribution for Deep Networks, ICML 2017",
)

_ADVICE = "The completeness gap is above the tolerance; raise max_steps, or choose a baseline nearer to the instance."


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: integrate with more and more nodes until the gap is within the tolerance."""
    tolerance = params["tolerance"]
    best = math.inf
    attribution: dict[str, Floats] = {}
    for steps in stages(params["max_steps"], tolerance):
        alphas, weights = gauss_legendre(steps)
        integral = yield Gradients(alphas, weights, factor="difference")
        gap = completeness_gap(integral.sums, game.difference)
        if gap < best or not attribution:
            best, attribution = gap, integral.sums
        if best <= tolerance:
            break
    # Without a tolerance there is nothing to converge to, unless the answer is exact.
    converged = best <= tolerance if tolerance or best == 0 else None
    return Solution(per_element=attribution, error=best, converged=converged, notes=(_ADVICE,) if converged is False else ())


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return int(params["max_steps"])
