"""Deletion and insertion: the output while players leave or come in an order, beside random orders.

An order is judged by the area under its curve, over the share of players that have left or come, in units of the output.
Absent players have the baseline's value. Random orders are the same for all rows of a seed.

How much better than random ones an order can be depends on the players: of four, many a random order is nearly the best. What
is attainable is told by the attributions themselves: the advantage that their order would have if they were the whole truth.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from explainery.contract.catalogue import Param
from workers.coalitions import Coalitions, frozen
from workers.draws import generator
from workers.game import Params
from workers.questions import Floats, Values
from workers.recheck import Checking, Finding, Subject

PARAMS = (
    Param(
        name="samples",
        type="integer",
        default=400,
        unit="model evaluations",
        minimum=4,
        maximum=1_000_000,
        help="Model evaluations a row may cost: each curve has as many points between its ends as they pay for.",
    ),
    Param(
        name="orders",
        type="integer",
        default=20,
        unit="random orders",
        minimum=2,
        maximum=1000,
        help="Random orders whose areas give the mean and the spread beside the explanation's own.",
    ),
)
PLENTY = 2.5
"""An advantage that is enough, where it can be attained."""
LEAST = 0.5
ALIKE = 1e-6
"""A spread of areas below this share of the largest output is none."""
FEW = "A single feature has no order: nothing was asked."
FLAT_NOTE = "All orders have the same area here: no order is better than another."


def compared(subject: Subject, params: Params, *, deletes: bool) -> Checking:
    """Ask for the curve of the attributions' order, largest first, and for those of random orders."""
    n = subject.game.players
    if n < 2:
        return Finding({}, FEW)
    orders = min(params["orders"], max(2, params["samples"] // 2 - 1))
    counts = points_of(n, params["samples"] // (orders + 1))
    own = along(np.argsort(-subject.contributions, kind="stable"), counts, deletes=deletes)
    others = random_curves(n, len(counts), orders, subject.game.seed, deletes)
    answers: list[Floats] = yield [Values(own), Values(others)]
    first, last = subject.game.instance_output, subject.game.baseline_output
    ends = (first, last) if deletes else (last, first)
    at = np.concatenate([[0.0], counts / n, [1.0]])
    curve, beside = _whole(answers[0][None], ends), _whole(answers[1].reshape(orders, -1), ends)
    foretold = _additive(own, others.reshape(orders, -1, n), subject.contributions, deletes)
    return _finding(at, _Areas(at, curve, beside, deletes), _Areas(at, *foretold, deletes))


def cost(players: int, params: Params, run: int) -> int:
    """Evaluations one explanation may cost, where a run of the method costs `run`."""
    return int(params["samples"])


@lru_cache(maxsize=64)
def points_of(players: int, most: int) -> Any:
    """How many players have moved at each point between the ends, evenly spread, int64 [points]; at most `most` points."""
    count = max(1, min(players - 1, most))
    return frozen(np.round(np.arange(1, count + 1) * players / (count + 1)).astype(np.int64))


def along(order: Any, counts: Any, *, deletes: bool) -> Coalitions:
    """Who is present at each point, bool [points, players], when players move in this order."""
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    moved = place[None, :] < counts[:, None]
    return np.asarray(~moved if deletes else moved)


@lru_cache(maxsize=4)
def random_curves(players: int, points: int, orders: int, seed: int, deletes: bool) -> Coalitions:
    """The coalitions of random orders, one order after the other."""
    rng = generator(seed, "checks/orders")
    counts = points_of(players, points)
    return frozen(np.concatenate([along(rng.permutation(players), counts, deletes=deletes) for _ in range(orders)]))


def _whole(inner: Floats, ends: tuple[float, float]) -> Floats:
    """Curves [curves, points] with their ends."""
    first, last = np.full((len(inner), 1), ends[0]), np.full((len(inner), 1), ends[1])
    return np.concatenate([first, inner, last], axis=1)


def _additive(own: Coalitions, others: Coalitions, phi: Floats, deletes: bool) -> tuple[Floats, Floats]:
    """The same curves in a game where every player adds its contribution, whoever else is there."""
    total = float(phi.sum())
    ends = (total, 0.0) if deletes else (0.0, total)
    return _whole((own @ phi)[None], ends), _whole(others @ phi, ends)


class _Areas:
    """Areas under an order's curve and under random ones'. `advantage`: None where all random ones are alike."""

    def __init__(self, at: Floats, curve: Floats, beside: Floats, deletes: bool) -> None:
        self.curve = curve[0]
        areas = np.trapezoid(beside, at, axis=1)
        self.area, self.mean, self.spread = float(np.trapezoid(self.curve, at)), float(areas.mean()), float(areas.std(ddof=1))
        better = self.mean - self.area if deletes else self.area - self.mean
        flat = self.spread <= ALIKE * float(np.abs(beside).max())
        self.advantage = None if flat else better / self.spread


def _finding(at: Floats, seen: _Areas, foretold: _Areas) -> Finding:
    figures = {
        "share": at.tolist(),
        "curve": seen.curve.tolist(),
        "area": seen.area,
        "random_mean": seen.mean,
        "random_spread": seen.spread,
        "advantage": seen.advantage,
        "attainable": foretold.advantage,
        "score": _score(seen.advantage, foretold.advantage),
        "kept": _kept(seen.advantage, foretold.advantage),
    }
    return Finding(figures, FLAT_NOTE if seen.advantage is None else None)


def _score(advantage: float | None, attainable: float | None) -> float | None:
    """The advantage, larger where little can be attained: of few players, or one that does all, any order is nearly as good."""
    if advantage is None or attainable is None:
        return advantage
    return advantage * max(1.0, PLENTY / max(attainable, LEAST))


def _kept(advantage: float | None, attainable: float | None) -> float | None:
    """The share of what the attributions promise that came true."""
    return None if advantage is None or attainable is None or attainable < LEAST else advantage / attainable
