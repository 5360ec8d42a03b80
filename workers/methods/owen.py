"""Owen values: Shapley values of features that belong together, group by group and, in a hierarchy, level by level.

The mean of what a player changes when it joins, over the orders in which no group is interrupted. A group's values sum to what
the group as one player has, whatever its size. Asked for exactly where the samples pay for every coalition that such orders
pass: n players in halves pass about 2/3 n^2 of them, not 2^n.
"""

from __future__ import annotations

import math

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec, Param
from workers.game import Explaining, Game, Params
from workers.hierarchy import Tree, coalitions_of, enumerated
from workers.neighbourhood import tree_of
from workers.parameters import FEATURES
from workers.permutations import consistent_walks
from workers.questions import Solution, Values
from workers.standard_errors import Rounds, relative_error

SPEC = MethodSpec(
    name="owen",
    title="Owen values (groups and hierarchies)",
    summary=(
        "Shapley values under the condition that groups of features stay together, for a hierarchy of any depth: exact on "
        "pictures, series and texts for about as many evaluations as the square of their features. Needs predictions only."
    ),
    asks=("values",),
    params=(
        Param(
            name="hierarchy",
            type="tree",
            help=(
                'Which features belong together: nested lists of names or numbers, such as [["income", "debt"], ["age"]]. Not '
                "given: halves of halves by place, in pictures, series, texts and tensors; a table's columns each by itself."
            ),
        ),
        Param(
            name="samples",
            type="integer",
            default=4096,
            unit="model evaluations",
            minimum=4,
            maximum=200_000,
            help=(
                "Model evaluations a row may cost, instance and baseline included. Where they pay for every coalition the "
                "answer is exact; else orders are sampled, each with its reverse."
            ),
        ),
        Param(
            name="tolerance",
            type="number",
            default=0.01,
            unit="share of the attributions' range",
            minimum=0,
            maximum=1,
            help="Stop when the largest standard error is at most this share of the attributions' range; 0: use all samples.",
        ),
        FEATURES,
    ),
    calls=Calls(
        values=(
            "0 if players == 1 else samples - 2 if coalitions < 0 else coalitions if coalitions <= samples - 2 else "
            "(samples - 2) // (2 * players - 2) * (2 * players - 2)"
        ),
        adaptive="players > 1 and (coalitions < 0 or (coalitions > samples - 2 and tolerance > 0))",
        least="0 if samples < 2 * players else 2 * players - 2",
    ),
    completeness=True,
    random=True,
    reference=(
        "Owen, Values of games with a priori unions, 1977; Winter, A value for cooperative games with levels structure of "
        "cooperation, 1989"
    ),
)

FIRST_PAIRS = 8
SHARED = 4
"""Rounds' worth of the mean variance over the players in each player's own, as in `permutation_shapley`."""
MOST_CELLS = 2**24
"""Coalitions times players of one question."""


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row. Raises InvalidParameter when the hierarchy does not fit the row's players."""
    n = game.players
    if n == 1:
        return Solution(per_player=np.array([game.difference]), standard_error=np.zeros(1), error=0.0, converged=True)
    tree = tree_of(game, params["hierarchy"])
    if coalitions_of(tree) <= params["samples"] - 2:
        plan = enumerated(tree)
        values = yield Values(plan.coalitions)
        phi = game.difference * plan.grand + (values - game.baseline_output) @ plan.weights
        return Solution(per_player=phi, standard_error=np.zeros(n), error=0.0, converged=True)
    return (yield from _sampled(game, tree, params["samples"], params["tolerance"]))


def _sampled(game: Game, tree: Tree, samples: int, tolerance: float) -> Explaining:
    """Walk along pairs of orders until the standard errors are small enough."""
    n, rounds, error = game.players, Rounds(), math.inf
    most = max(1, MOST_CELLS // (2 * n * n))
    total, done, stage = (samples - 2) // (2 * (n - 1)), 0, FIRST_PAIRS
    while done < total and error > tolerance:
        until = total if tolerance == 0 or 2 * stage > total else stage
        while done < until:
            walks = consistent_walks(tree, done, min(done + most, until), game.seed)
            values = yield Values(walks.coalitions)
            rounds.add(walks.shares(values, game.baseline_output, game.instance_output))
            done = min(done + most, until)
        spread, stage = rounds.standard_error(SHARED), 2 * stage
        error = math.inf if spread is None else relative_error(rounds.mean, spread, game)
    if not rounds.count:
        note = (
            f"{samples} samples pay for no pair of orders of {n} features: all are given the same. Raise samples to {16 * n}."
        )
        return Solution(per_player=np.full(n, game.difference / n), converged=False, notes=(note,))
    converged = error <= tolerance if tolerance or error in (0, math.inf) else None
    return Solution(
        per_player=rounds.mean,
        standard_error=rounds.standard_error(SHARED),
        error=None if math.isinf(error) else error,
        converged=converged,
        notes=(_ADVICE,) if converged is False else (),
    )


_ADVICE = "The standard errors are above the tolerance; raise samples, group features, or accept a larger tolerance."


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return int(params["samples"]) - 2 if players > 1 else 0
