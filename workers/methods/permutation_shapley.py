"""Permutation Shapley: the mean of what each player changes when it joins, over random orders and their reverses.

Each order's shares telescope to f(x) - f(b), so completeness holds whatever the budget. An order and its reverse are exact
together where no more than two players interact.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec, Param
from workers.coalitions import every_coalition, every_weight
from workers.game import Explaining, Game, Params
from workers.parameters import FEATURES
from workers.permutations import walks
from workers.questions import Answer, Question, Solution, Values
from workers.standard_errors import Rounds, relative_error
from workers.stopping import Stop, asked

SPEC = MethodSpec(
    name="permutation_shapley",
    title="Permutation Shapley (antithetic)",
    summary=(
        "Shapley values from random orders in which features join, each with its reverse, with standard errors. Needs "
        "predictions only. kernel_shap is nearer for the same calls on most models; this one promises nothing of the model."
    ),
    asks=("values",),
    params=(
        Param(
            name="samples",
            type="integer",
            default=2048,
            unit="model evaluations",
            minimum=4,
            maximum=1_000_000,
            help="Model evaluations a row may cost, instance and baseline included. A pair of orders takes 2 (features - 1).",
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

FIRST_PAIRS = 8
SHARED = 4
"""Rounds' worth of the mean variance over the players in each player's own: intervals hold their level from three pairs on."""
MOST_CELLS = 2**24
"""Coalitions times players of one question: larger stages are asked in several."""


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: walk along pairs of orders until the standard errors are small enough."""
    n, tolerance = game.players, params["tolerance"]
    if n == 1:
        return Solution(per_player=np.array([game.difference]), standard_error=np.zeros(1), error=0.0, converged=True)
    rounds, error = Rounds(), math.inf
    for before, pairs in stages(n, params["samples"], tolerance):
        if enumerates(n, params["samples"], before, pairs):
            values, more = yield from asked(Values(every_coalition(n)))
            if more:
                phi = game.difference / n + (values - game.baseline_output) @ every_weight(n)
                return Solution(per_player=phi, standard_error=np.zeros(n), error=0.0, converged=True)
        else:
            more = yield from _walk(game, before, pairs, rounds)
        spread = rounds.standard_error(SHARED)
        error = math.inf if spread is None else relative_error(rounds.mean, spread, game)
        if not more and spread is None:
            raise Stop
        if error <= tolerance or not more:
            break
    if not rounds.count:
        short = f"{params['samples']} samples pay for no pair of orders of {n} features: all are given the same. "
        note = f"{short}Raise samples to {16 * n} at least, or group features."
        return Solution(per_player=np.full(n, game.difference / n), converged=False, notes=(note,))
    converged = error <= tolerance if tolerance or error in (0, math.inf) else None
    return Solution(
        per_player=rounds.mean,
        standard_error=rounds.standard_error(SHARED),
        error=None if math.isinf(error) else error,
        converged=converged,
        notes=(_ADVICE,) if converged is False else (),
    )


def _walk(game: Game, before: int, pairs: int, rounds: Rounds) -> Generator[Question, Answer, bool]:
    """Walk a stage's pairs of orders; whether more may be asked. When none may, only whole pairs count."""
    n, empty, grand = game.players, game.baseline_output, game.instance_output
    for first, last in questions(n, before, pairs):
        values, more = yield from asked(Values(walks(n, first, last, game.seed).coalitions))
        walked = last - first if more else (0 if values is None else len(values)) // (2 * (n - 1))
        if walked:
            rounds.add(walks(n, first, first + walked, game.seed).shares(values[: walked * 2 * (n - 1)], empty, grand))
        if not more:
            return False
    return True


_ADVICE = "The standard errors are above the tolerance; raise samples, group features, or accept a larger tolerance."


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    return 2 * (players - 1) * _pairs(players, params["samples"])


def stages(players: int, samples: int, tolerance: float) -> Iterator[tuple[int, int]]:
    """Pairs walked before, and in all, at each stage: doubling, the last takes what is left. One stage without a tolerance."""
    total = _pairs(players, samples)
    before, pairs = 0, total if tolerance == 0 else FIRST_PAIRS
    while before < total:
        pairs = total if 2 * pairs > total else pairs
        yield before, pairs
        before, pairs = pairs, 2 * pairs


def enumerates(players: int, samples: int, before: int, pairs: int) -> bool:
    """Whether all coalitions are asked in a stage's place: they cost at most twice as much, and the samples pay for them."""
    walk = 2 * (players - 1)
    affordable = walk * min(2 * (pairs - before), _pairs(players, samples) - before)
    return bool(2**players - 2 <= affordable)


def questions(players: int, before: int, pairs: int) -> Iterator[tuple[int, int]]:
    """A stage cut into questions of bearable size."""
    most = max(1, MOST_CELLS // (2 * players * players))
    for first in range(before, pairs, most):
        yield first, min(first + most, pairs)


def _pairs(players: int, samples: int) -> int:
    """Pairs the samples pay for: f(x) and f(b) are two of them."""
    return (samples - 2) // (2 * (players - 1)) if players > 1 else 0
