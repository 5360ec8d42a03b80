"""Pairwise Shapley interaction index: what two features change together beyond what each changes alone.

I_ij = sum over S without i, j of s! (n-s-2)! / (n-1)! (v(S+ij) - v(S+i) - v(S+j) + v(S))
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import gammaln

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.coalitions import every_coalition, every_weight, frozen
from workers.game import Explaining, Game, Params
from workers.parameters import FEATURES
from workers.questions import Floats, Map, Solution, Values

MAX_PLAYERS = 14
"""16,382 evaluations; the index needs them all."""

SPEC = MethodSpec(
    name="shapley_interactions",
    title="Shapley interactions (exact, pairwise)",
    summary=(
        "Exact Shapley values, and a map of what each pair of features changes together beyond what each changes alone. Off "
        "the diagonal: the Shapley interaction index; on it: a feature's value less half of its interactions, its main effect."
    ),
    asks=("values",),
    params=(FEATURES,),
    calls=Calls(values="2 ** players - 2"),
    completeness=True,
    reference=(
        "Grabisch & Roubens, An axiomatic approach to the concept of interaction among players in cooperative games, 1999; "
        "Lundberg et al., From local explanations to global understanding with explainable AI for trees, 2020"
    ),
    max_players=MAX_PLAYERS,
)


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: Shapley values, and the map "interactions" [player, player]."""
    n = game.players
    values = np.zeros(0)
    if n > 1:
        values = yield Values(every_coalition(n))
    about = np.concatenate([[0.0], values - game.baseline_output, [game.difference]])  # large outputs lose no digits
    phi = game.difference / n + about[1:-1] @ every_weight(n) if n > 1 else np.array([game.difference])
    matrix = interactions(about)
    np.fill_diagonal(matrix, 0.0)
    np.fill_diagonal(matrix, phi - matrix.sum(axis=1) / 2)
    return Solution(per_player=phi, maps=(Map("interactions", matrix, ("player", "player")),), error=0.0, converged=True)


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return int(2**players - 2)


def interactions(values: Floats) -> Floats:
    """The index of every pair, [players, players]; the diagonal means nothing.

    `values`: of all coalitions, [2**players]; number k holds the players of k's bits, so the empty one is first.
    """
    n = len(values).bit_length() - 1
    if n < 2:
        return np.zeros((n, n))
    table = _table(n)
    both, none, one = (values * table.weights[kind] for kind in range(3))
    present = table.present
    absent = 1 - present
    crossed = present.T @ (one[:, None] * absent)
    return np.asarray(present.T @ (both[:, None] * present) + absent.T @ (none[:, None] * absent) - crossed - crossed.T)


class _Table:
    """Membership [coalitions, players], and a coalition's weight for pairs that are both, neither, or one of them in it."""

    def __init__(self, players: int) -> None:
        numbers = np.arange(2**players)[:, None]
        self.present: Floats = frozen(((numbers >> np.arange(players)) % 2).astype(np.float64))
        size = self.present.sum(axis=1)
        self.weights = tuple(frozen(_weight(size - less, players)) for less in (2, 0, 1))


@lru_cache(maxsize=4)
def _table(players: int) -> _Table:
    return _Table(players)


def _weight(others: Floats, players: int) -> Floats:
    """Give s! (n-s-2)! / (n-1)! of `others` = s players that are not of the pair; 0 where there are no such coalitions."""
    possible = (others >= 0) & (others <= players - 2)
    s = np.where(possible, others, 0)
    return np.where(possible, np.exp(gammaln(s + 1) + gammaln(players - s - 1) - gammaln(players)), 0.0)
