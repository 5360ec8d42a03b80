"""Exact Shapley values: the definition, over all coalitions."""

from __future__ import annotations

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.coalitions import every_coalition, every_weight
from workers.game import Explaining, Game, Params
from workers.parameters import FEATURES
from workers.questions import Solution, Values

MAX_PLAYERS = 16
"""65,534 evaluations: seconds on a small model. Weights take 8 MiB; each further player doubles both."""

SPEC = MethodSpec(
    name="exact_shapley",
    title="Exact Shapley values",
    summary="The fair share of each feature in the output difference, from all 2**features coalitions: no sampling error.",
    asks=("values",),
    params=(FEATURES,),
    calls=Calls(values="2 ** players - 2"),
    completeness=True,
    reference="Shapley, A Value for n-Person Games, Contributions to the Theory of Games II, 1953",
    max_players=MAX_PLAYERS,
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: phi_i = sum over S without i of s! (n-s-1)! / n! (v(S + i) - v(S))."""
    n = game.players
    ends = np.full(n, game.difference / n)  # the grand and the empty coalition weigh 1/n and -1/n
    if n == 1:
        return Solution(per_player=ends, error=0.0, converged=True)
    values = yield Values(every_coalition(n))
    # Weights of a player sum to 0 but for the two ends, so a constant can go first: large outputs then lose no digits.
    return Solution(per_player=ends + (values - game.baseline_output) @ every_weight(n), error=0.0, converged=True)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return int(2**players - 2)
