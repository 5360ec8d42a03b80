"""Integrated Gradients, refined until the attributions sum to the output difference.

    phi = (x - b) * integral over alpha in (0, 1) of df/dx at b + alpha (x - b)

The integral is a Gauss-Legendre rule. Rules of different size share no nodes, so each stage is a new rule of about twice the
nodes, and the best one is kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np

from explainery.contract.catalogue import MethodSpec, Param
from workers.coalitions import frozen
from workers.game import Explaining, Game, Params
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

FIRST_STEPS = 16
PANEL = 512
"""Most nodes of one rule."""
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


def stages(max_steps: int, tolerance: float) -> Iterator[int]:
    """Nodes of each stage: 16, 32, 64, ..., the last one takes what is left. One stage without a tolerance."""
    left, steps = max_steps, FIRST_STEPS
    while tolerance > 0 and left >= 3 * steps:  # this stage, and one of twice its size after it
        yield steps
        left, steps = left - steps, 2 * steps
    yield left


@lru_cache(maxsize=64)
def gauss_legendre(steps: int) -> tuple[Floats, Floats]:
    """Nodes and weights of a Gauss-Legendre rule on (0, 1), each [steps]; cached and read-only.

    More than `PANEL` nodes are spread over panels of nearly equal size: one rule of n nodes takes n^2 memory to find.
    """
    panels = math.ceil(steps / PANEL)
    sizes = [steps // panels + (panel < steps % panels) for panel in range(panels)]
    edges = np.cumsum([0, *sizes]) / steps
    rules = [np.polynomial.legendre.leggauss(size) for size in sizes]
    widths = np.diff(edges)
    nodes = [edge + width * (node + 1) / 2 for edge, width, (node, _) in zip(edges, widths, rules, strict=False)]
    weights = [width * weight / 2 for width, (_, weight) in zip(widths, rules, strict=True)]
    return frozen(np.concatenate(nodes)), frozen(np.concatenate(weights))


def completeness_gap(attribution: Mapping[str, Floats], difference: float) -> float:
    """|sum of attributions - difference| / max(|difference|, 1e-12)."""
    total = sum(float(part.sum()) for part in attribution.values())
    return abs(total - difference) / max(abs(difference), 1e-12)
