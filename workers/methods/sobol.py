"""Sobol' indices: the share of the output's variance behind random masks that a feature takes part in.

    total:  S_Ti = E[(f(A) - f(A with B's column i))^2] / (2 Var f)
    first:  S_i = 1 - E[(f(B) - f(A with B's column i))^2] / (2 Var f)

A and B are two independent masks, drawn evenly from the unit cube by a scrambled Sobol' sequence: a mask's entry is the share
of the feature's value that is kept, the rest is the baseline's. Jansen's estimators. Whole numbers take the nearer of both.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from scipy.stats import qmc

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec, Param
from workers.coalitions import frozen
from workers.draws import generator
from workers.game import Explaining, Game, Params
from workers.parameters import FEATURES
from workers.questions import Floats, Solution, Values
from workers.standard_errors import Rounds

SPEC = MethodSpec(
    name="sobol",
    title="Sobol' indices (variance behind masks)",
    summary=(
        "The share of the output's variance that a feature takes part in, alone and with others (or alone), while features are "
        "blended with the baseline. Never negative in the mean; says how much a feature matters, not in which direction."
    ),
    asks=("values",),
    params=(
        Param(
            name="samples",
            type="integer",
            default=2048,
            unit="model evaluations",
            minimum=8,
            maximum=1_000_000,
            help="Model evaluations a row may cost, instance and baseline included: features + 2 for each pair of masks.",
        ),
        Param(
            name="order",
            type="string",
            default="total",
            choices=("total", "first"),
            help="total: alone and together with others. first: alone.",
        ),
        FEATURES,
    ),
    calls=Calls(values="0 if samples - 2 < 2 * players + 4 else (players + 2) * ((samples - 2) // (players + 2))"),
    contributes=False,
    completeness=False,
    random=True,
    max_players=10_000,
    reference=(
        "Fel, Cadene, Chalvidal, Cord, Vigouroux & Serre, Look at the Variance! Efficient Black-box Explanations with "
        "Sobol-based Sensitivity Analysis, NeurIPS 2021; Jansen, Analysis of variance designs for model output, 1999"
    ),
)

MOST_CELLS = 2**21
"""Masks times features of one question."""
FEW = 8
"""Pairs of masks below which nothing is said."""


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: f at masks A and B, then at A with one column of B at a time."""
    n, pairs = game.players, _pairs(game.players, params["samples"])
    if pairs < 2:
        short = f"{params['samples']} samples pay for no two pairs of masks of {n} features: all are given zero."
        note = f"{short} Raise samples to {FEW * (n + 2) + 2} at least, or group features."
        return Solution(per_player=np.zeros(n), converged=False, notes=(note,))
    both = yield Values(_masks(n, pairs, game.seed).reshape(-1, n))
    a, b = both[:pairs], both[pairs:]
    mixed = np.empty((n, pairs))
    for first, last in _blocks(n, pairs):
        mixed[first:last] = (yield Values(_mixed(n, pairs, game.seed, first, last))).reshape(-1, pairs)
    away = np.var(both)
    if away <= 1e-14 * max(float(np.mean(both**2)), 1e-300):
        return Solution(
            per_player=np.zeros(n), standard_error=np.zeros(n), notes=("The output is the same behind every mask.",)
        )
    total = params["order"] == "total"
    halves = ((a if total else b) - mixed) ** 2 / 2  # [players, pairs]
    share = halves.mean(axis=1) / away
    middle = both.mean()
    own = ((a - middle) ** 2 + (b - middle) ** 2) / 2
    rounds = Rounds()
    rounds.add(((halves - share[:, None] * own) / away).T)
    few = (f"Only {pairs} pairs of masks; raise samples to {FEW * (n + 2) + 2}.",) if pairs < FEW else ()
    return Solution(
        per_player=share if total else 1 - share,
        standard_error=rounds.standard_error(),
        converged=False if few else None,
        notes=few,
    )


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    pairs = _pairs(players, params["samples"])
    return (players + 2) * pairs if pairs > 1 else 0


def _pairs(players: int, samples: int) -> int:
    return int((samples - 2) // (players + 2))


def _blocks(players: int, pairs: int) -> Iterator[tuple[int, int]]:
    """Columns whose masks fit into one question."""
    step = max(1, MOST_CELLS // (pairs * players))
    for first in range(0, players, step):
        yield first, min(first + step, players)


@lru_cache(maxsize=4)
def _masks(players: int, pairs: int, seed: int) -> Floats:
    """A and B, [2, pairs, players]."""
    sequence = qmc.Sobol(2 * players, scramble=True, rng=int(generator(seed, f"sobol/{players}").integers(2**63)))
    with_zeros = sequence.random_base2(max(1, (pairs - 1).bit_length()))[:pairs]
    return frozen(np.ascontiguousarray(with_zeros.reshape(pairs, 2, players).transpose(1, 0, 2)))


@lru_cache(maxsize=8)
def _mixed(players: int, pairs: int, seed: int, first: int, last: int) -> Floats:
    """A with B's column i, for i from `first` to `last`, [(last - first) * pairs, players]."""
    a, b = _masks(players, pairs, seed)
    table = np.repeat(a[None], last - first, axis=0)
    for number, column in enumerate(range(first, last)):
        table[number, :, column] = b[:, column]
    return frozen(table.reshape(-1, players))
