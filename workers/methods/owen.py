"""Owen values: Shapley values of features that belong together, group by group and, in a hierarchy, level by level.

The mean of what a player changes when it joins, over the orders in which no group is interrupted. A group's values sum to what
the group as one player has, whatever its size. Asked for exactly where the samples pay for every coalition that such orders
pass: n players in halves pass about 2/3 n^2 of them, not 2^n.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec, Param
from workers.game import Explaining, Game, Params
from workers.hierarchy import Tree, coalitions_of, enumerated
from workers.neighbourhood import tree_of
from workers.parameters import FEATURES, TOLERANCE, sampling
from workers.permutations import Walks, consistent_walks
from workers.questions import Solution, Values
from workers.standard_errors import Rounds
from workers.stopping import Stop, asked
from workers.walking import alone, error_of, pairs_in, stages, told, walk

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
        sampling(
            4096,
            "Where they pay for every coalition the answer is exact; else orders are sampled, each with its reverse.",
            most=200_000,
        ),
        TOLERANCE,
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


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row. Raises InvalidParameter when the hierarchy does not fit the row's players."""
    n, samples, tolerance = game.players, params["samples"], params["tolerance"]
    if n == 1:
        return alone(game)
    tree = tree_of(game, params["hierarchy"])
    if coalitions_of(tree) <= samples - 2:
        plan = enumerated(tree)
        values, more = yield from asked(Values(plan.coalitions))
        if not more:
            raise Stop
        phi = game.difference * plan.grand + (values - game.baseline_output) @ plan.weights
        return Solution(per_player=phi, standard_error=np.zeros(n), error=0.0, converged=True)
    rounds = Rounds()
    for before, pairs in stages(pairs_in(n, samples), tolerance):
        more = yield from walk(game, partial(_plan, tree, game.seed), before, pairs, rounds)
        error = error_of(game, rounds)
        if not more and math.isinf(error):
            raise Stop
        if error <= tolerance or not more:
            break
    return told(game, rounds, samples, tolerance)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return int(params["samples"]) - 2 if players > 1 else 0


def _plan(tree: Tree, seed: int, first: int, last: int) -> Walks:
    return consistent_walks(tree, first, last, seed)
