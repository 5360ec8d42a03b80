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
from workers.parameters import FEATURES, sampling
from workers.questions import Floats, Solution, Values
from workers.standard_errors import Rounds
from workers.stopping import Stop, asked

SPEC = MethodSpec(
    name="sobol",
    title="Sobol' indices (variance behind masks)",
    summary=(
        "The share of the output's variance that a feature takes part in, alone and with others (or alone), while features are "
        "blended with the baseline. Never negative in the mean; says how much a feature matters, not in which direction."
    ),
    asks=("values",),
    params=(
        sampling(2048, "A pair of masks takes features + 2.", least=8),
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
"""Pairs of masks below which little is said."""
FLAT = 1e-14
"""A variance below this share of the mean square is none."""
SAME = "The output is the same behind every mask."


def explain(game: Game, params: Params) -> Explaining:
    """Explain one row: f at masks A and B, and at A with one column of B at a time, pair by pair."""
    n, pairs = game.players, _pairs(game.players, params["samples"])
    if pairs < 2:
        short = f"{params['samples']} samples pay for no two pairs of masks of {n} features: all are given zero."
        note = f"{short} Raise samples to {FEW * (n + 2) + 2} at least, or group features."
        return Solution(per_player=np.zeros(n), converged=False, notes=(note,))
    found, more = np.empty((0, n + 2)), True
    for first, last in _blocks(n, pairs):
        values, more = yield from asked(Values(_masks(n, pairs, game.seed, first, last)))
        whole = 0 if values is None else len(values) // (n + 2)
        if whole:
            found = np.concatenate([found, values[: whole * (n + 2)].reshape(whole, n + 2)])
        if not more:
            break
    if len(found) < 2:
        raise Stop
    return _told(found, params["order"], ended=not more)


def _told(values: Floats, order: str, *, ended: bool) -> Solution:
    """The indices, from the outputs at A, at B, and at A with each column of B, [pairs, players + 2]."""
    a, b, mixed = values[:, 0], values[:, 1], values[:, 2:]
    n, away = mixed.shape[1], float(np.var(values[:, :2]))
    if away <= FLAT * max(float(np.mean(values[:, :2] ** 2)), 1e-300):
        return Solution(per_player=np.zeros(n), standard_error=np.zeros(n), notes=(SAME,))
    halves = (values[:, [0 if order == "total" else 1]] - mixed) ** 2 / 2
    share, middle = halves.mean(axis=0) / away, values[:, :2].mean()
    own = ((a - middle) ** 2 + (b - middle) ** 2) / 2
    rounds = Rounds()
    rounds.add((halves - own[:, None] * share) / away)
    few = (f"Only {len(values)} pairs of masks; raise samples to {FEW * (n + 2) + 2}.",) if len(values) < FEW else ()
    return Solution(
        per_player=share if order == "total" else 1 - share,
        standard_error=rounds.standard_error(),
        converged=False if few or ended else None,
        notes=few,
    )


def cost(players: int, params: Params) -> int:
    """Evaluations one row may cost."""
    pairs = _pairs(players, params["samples"])
    return (players + 2) * pairs if pairs > 1 else 0


def _pairs(players: int, samples: int) -> int:
    return int((samples - 2) // (players + 2))


def _blocks(players: int, pairs: int) -> Iterator[tuple[int, int]]:
    """Pairs of masks whose points fit into one question."""
    step = max(1, MOST_CELLS // ((players + 2) * players))
    for first in range(0, pairs, step):
        yield first, min(first + step, pairs)


@lru_cache(maxsize=8)
def _masks(players: int, pairs: int, seed: int, first: int, last: int) -> Floats:
    """A, B, and A with each column of B, of the pairs from `first` to `last`, [(last - first) * (players + 2), players]."""
    a, b = _drawn(players, pairs, seed)[:, first:last]
    table = np.repeat(a[:, None], players + 2, axis=1)
    table[:, 1] = b
    columns = np.arange(players)
    table[:, 2 + columns, columns] = b
    return frozen(table.reshape(-1, players))


@lru_cache(maxsize=4)
def _drawn(players: int, pairs: int, seed: int) -> Floats:
    """A and B, [2, pairs, players]: more pairs begin with the same ones."""
    sequence = qmc.Sobol(2 * players, scramble=True, rng=int(generator(seed, f"sobol/{players}").integers(2**63)))
    drawn = sequence.random_base2(max(1, (pairs - 1).bit_length()))[:pairs]
    return frozen(np.ascontiguousarray(drawn.reshape(pairs, 2, players).transpose(1, 0, 2)))
