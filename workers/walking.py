"""Walks along orders of players, stage by stage: what permutation_shapley and owen have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator

import numpy as np

from workers.game import Game
from workers.permutations import Walks
from workers.questions import Answer, Question, Solution, Values
from workers.standard_errors import Rounds, relative_error
from workers.stopping import asked

FIRST_PAIRS = 8
SHARED = 4
"""Rounds' worth of the mean variance over the players in each player's own: intervals hold their level from three pairs on."""
MOST_CELLS = 2**24
"""Coalitions times players of one question: larger stages are asked in several."""
ADVICE = "The standard errors are above the tolerance; raise samples, group features, or accept a larger tolerance."

Plan = Callable[[int, int], Walks]
"""The pairs of orders from one number to another."""


def pairs_in(players: int, samples: int) -> int:
    """Pairs of orders that the samples pay for: f(x) and f(b) are two of them."""
    return (samples - 2) // (2 * (players - 1)) if players > 1 else 0


def stages(total: int, tolerance: float) -> Iterator[tuple[int, int]]:
    """Pairs walked before, and in all, at each stage: doubling, the last takes what is left. One stage without a tolerance."""
    before, pairs = 0, total if tolerance == 0 else FIRST_PAIRS
    while before < total:
        pairs = total if 2 * pairs > total else pairs
        yield before, pairs
        before, pairs = pairs, 2 * pairs


def walk(game: Game, plan: Plan, before: int, pairs: int, rounds: Rounds) -> Generator[Question, Answer, bool]:
    """Walk a stage's pairs of orders; whether more may be asked. When none may, only whole pairs count."""
    n, empty, grand = game.players, game.baseline_output, game.instance_output
    of_pair, most = 2 * (n - 1), max(1, MOST_CELLS // (2 * n * n))
    for first in range(before, pairs, most):
        last = min(first + most, pairs)
        values, more = yield from asked(Values(plan(first, last).coalitions))
        walked = last - first if more else (0 if values is None else len(values)) // of_pair
        if walked:
            rounds.add(plan(first, first + walked).shares(values[: walked * of_pair], empty, grand))
        if not more:
            return False
    return True


def error_of(game: Game, rounds: Rounds) -> float:
    """The figure that the tolerance is compared with; infinite while there is none."""
    spread = rounds.standard_error(SHARED)
    return math.inf if spread is None else relative_error(rounds.mean, spread, game)


def told(game: Game, rounds: Rounds, samples: int, tolerance: float) -> Solution:
    """What the rounds say."""
    n, error = game.players, error_of(game, rounds)
    if not rounds.count:
        short = f"{samples} samples pay for no pair of orders of {n} features: all are given the same. "
        note = f"{short}Raise samples to {16 * n} at least, or group features."
        return Solution(per_player=np.full(n, game.difference / n), converged=False, notes=(note,))
    converged = error <= tolerance if tolerance or error in (0, math.inf) else None
    return Solution(
        per_player=rounds.mean,
        standard_error=rounds.standard_error(SHARED),
        error=None if math.isinf(error) else error,
        converged=converged,
        notes=(ADVICE,) if converged is False else (),
    )


def alone(game: Game) -> Solution:
    """The only player has all."""
    return Solution(per_player=np.array([game.difference]), standard_error=np.zeros(1), error=0.0, converged=True)
