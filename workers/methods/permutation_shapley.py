"""Permutation Shapley: the mean of what each player changes when it joins, over random orders and their reverses.

Each order's shares telescope to f(x) - f(b), so completeness holds whatever the budget. An order and its reverse are exact
together where no more than two players interact.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.coalitions import every_coalition, every_weight
from workers.game import Explaining, Game, Params
from workers.parameters import FEATURES, TOLERANCE, sampling
from workers.permutations import Walks, walks
from workers.questions import Solution, Values
from workers.standard_errors import Rounds
from workers.stopping import Stop, asked
from workers.walking import alone, error_of, pairs_in, stages, told, walk

SPEC = MethodSpec(
    name="permutation_shapley",
    title="Permutation Shapley (antithetic)",
    summary=(
        "Shapley values from random orders in which features join, each with its reverse, with standard errors. Needs "
        "predictions only. kernel_shap is nearer for the same calls on most models; this one promises nothing of the model."
    ),
    asks=("values",),
    params=(
        sampling(2048, "A pair of orders takes 2 (features - 1)."),
        TOLERANCE,
        FEATURES,
    ),
    calls=Calls(
        values="0 if players == 1 else min(2 ** players - 2, (samples - 2) // (2 * players - 2) * (2 * players - 2))",
        adaptive="tolerance > 0",
        least="0 if players == 1 else min(2 ** players - 2, 16 * (players - 1))",
    ),
    completeness=True,
    random=True,
    reference=(
        "Castro, Gómez & Tejada, Polynomial calculation of the Shapley value based on sampling, 2009; "
        "Mitchell, Cooper, Frank & Holmes, Sampling Permutations for Shapley Value Estimation, JMLR 2022"
    ),
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: walk along pairs of orders until the standard errors are small enough."""
    n, samples, tolerance = game.players, params["samples"], params["tolerance"]
    if n == 1:
        return alone(game)
    rounds, total = Rounds(), pairs_in(n, samples)
    for before, pairs in stages(total, tolerance):
        if enumerates(n, total, before, pairs):
            values, more = yield from asked(Values(every_coalition(n)))
            if more:
                phi = game.difference / n + (values - game.baseline_output) @ every_weight(n)
                return Solution(per_player=phi, standard_error=np.zeros(n), error=0.0, converged=True)
        else:
            more = yield from walk(game, partial(_plan, n, game.seed), before, pairs, rounds)
        error = error_of(game, rounds)
        if not more and math.isinf(error):
            raise Stop
        if error <= tolerance or not more:
            break
    return told(game, rounds, samples, tolerance)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 2 * (players - 1) * pairs_in(players, params["samples"])


def enumerates(players: int, total: int, before: int, pairs: int) -> bool:
    """Whether all coalitions are asked in a stage's place: they cost at most twice as much, and the samples pay for them."""
    affordable = 2 * (players - 1) * min(2 * (pairs - before), total - before)
    return bool(2**players - 2 <= affordable)


def _plan(players: int, seed: int, first: int, last: int) -> Walks:
    return walks(players, first, last, seed)
