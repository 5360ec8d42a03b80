"""Seconds learned from past runs: a job + values + gradients + rows, each at a price. Pure; prices are fitted, not averaged.

    seconds = p_job + p_value * values + p_gradient * gradients + p_row * rows,  all prices >= 0

The prices of a method on a model are fitted to its runs, drawn towards those of the model, and these towards constants of the
runtime: what runs do not tell apart stays what the level above says. Misses count by their share of the seconds, and the
worst ones less and less (Huber), so that one run beside a busy neighbour teaches little.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from explainery.contract.estimate import Run

Prices = tuple[float, float, float, float]
"""Seconds for a job, a value, a gradient, a row."""

PRIORS: dict[str, Prices] = {
    "stub": (1e-3, 1e-6, 3e-6, 3e-4),
    "onnx": (2e-3, 1e-4, 1e-3, 5e-4),
    "torch": (2e-3, 2e-4, 6e-4, 5e-4),
    "remote": (2e-2, 5e-3, 1e-2, 1e-3),
}
"""By runtime, of small models on a CPU; another runtime's are torch's."""
TRUST = 0.1
"""Weight of the level above, in runs: a few runs of its own decide."""
DOUBT = 0.3
"""A lone run may have had a busy neighbour: of how much dearer or cheaper it was, a part is believed."""
MISS = 0.3
"""A share of the seconds from which a miss counts less than its square."""
STIFF = 0.3
"""Share of a run's seconds that a price may easily move by, however low the level above has it."""
ROUNDS = 5
NEAR = 0.3
"""Squared distance from which a run counts half, in the logarithms of calls and rows."""


def prior(runtime: str) -> Prices:
    """Prices of a model that has not run yet."""
    return PRIORS.get(runtime, PRIORS["torch"])


def features(run: Run) -> tuple[float, float, float, float]:
    """What the prices are for."""
    return 1.0, float(run.values), float(run.gradients), float(run.rows)


def seconds(prices: Prices, run: Run) -> float:
    """What a run takes at these prices."""
    return math.fsum(price * part for price, part in zip(prices, features(run), strict=True))


def fit(runs: Sequence[Run], above: Prices) -> Prices:
    """Prices that explain the runs. `above`: those of the level above, which decide what the runs do not."""
    known = [run for run in runs if run.seconds > 0]
    if not known:
        return above
    start = prices = _scaled(known, above)
    weights = [1.0] * len(known)
    for _ in range(ROUNDS):
        prices = _solved(known, weights, start)
        misses = [abs(seconds(prices, run) / run.seconds - 1) for run in known]
        weights = [1.0 if miss <= MISS else MISS / miss for miss in misses]
    return prices


def like(prices: Prices, runs: Sequence[Run], asked: Run) -> float:
    """Seconds at these prices, put right by how far they missed runs like the one asked: the middle miss, the nearest first.

    Prices are for what grows with the calls; a method's own arithmetic need not. Near: in the logarithms of calls and rows.
    """
    misses = sorted((run.seconds / max(seconds(prices, run), 1e-12), 1 / (NEAR + _apart(run, asked))) for run in runs)
    half = sum(weight for _, weight in misses) / 2
    for miss, weight in misses:
        half -= weight
        if half <= 0:
            return miss * seconds(prices, asked)
    return seconds(prices, asked)


def warm(runs: Sequence[Run]) -> tuple[Run, ...]:
    """The runs that did not pay for what a process makes once."""
    return tuple(run for run in runs if not run.cold)


def _scaled(runs: Sequence[Run], above: Prices) -> Prices:
    """The prices of the level above, made dearer or cheaper as a whole: the middle of what the runs say."""
    ratios = sorted(run.seconds / max(seconds(above, run), 1e-12) for run in runs)
    ratio = ratios[len(ratios) // 2] ** (len(runs) / (len(runs) + DOUBT))
    job, value, gradient, row = above
    return job * ratio, value * ratio, gradient * ratio, row * ratio


def _solved(runs: Sequence[Run], weights: Sequence[float], towards: Prices) -> Prices:
    """Weighted least squares of the relative misses, drawn towards given prices, none below 0."""
    rows = [tuple(part / run.seconds for part in features(run)) for run in runs]
    pull = [TRUST / max(price, STIFF * _whole(rows, i), 1e-12) ** 2 for i, price in enumerate(towards)]
    squares = [
        [math.fsum(w * row[i] * row[j] for w, row in zip(weights, rows, strict=True)) for j in range(4)] for i in range(4)
    ]
    aims = [math.fsum(w * row[i] for w, row in zip(weights, rows, strict=True)) + pull[i] * towards[i] for i in range(4)]
    for i in range(4):
        squares[i][i] += pull[i]
    free = [0, 1, 2, 3]
    while True:
        found = dict(zip(free, _linear([[squares[i][j] for j in free] for i in free], [aims[i] for i in free]), strict=True))
        negative = [i for i in free if found[i] < 0]
        if not negative:
            return found.get(0, 0.0), found.get(1, 0.0), found.get(2, 0.0), found.get(3, 0.0)
        free.remove(min(negative, key=lambda i: found[i] * math.sqrt(squares[i][i])))


def _linear(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Solve a small positive definite system, scaled to ones on its diagonal first: calls and jobs differ by many digits."""
    size = [math.sqrt(matrix[i][i]) for i in range(len(right))]
    a = [[value / (size[i] * size[j]) for j, value in enumerate(row)] + [right[i] / size[i]] for i, row in enumerate(matrix)]
    for i in range(len(a)):
        for k in range(i + 1, len(a)):
            share = a[k][i] / a[i][i]
            a[k] = [below - share * above for below, above in zip(a[k], a[i], strict=True)]
    found = [0.0] * len(a)
    for i in reversed(range(len(a))):
        rest = math.fsum(a[i][j] * found[j] for j in range(i + 1, len(a)))
        found[i] = (a[i][-1] - rest) / a[i][i]
    return [value / scale for value, scale in zip(found, size, strict=True)]


def _apart(one: Run, other: Run) -> float:
    """The squared distance of two runs in the logarithms of calls and rows."""
    calls = math.log((1 + one.values + one.gradients) / (1 + other.values + other.gradients))
    return calls**2 + math.log(max(1, one.rows) / max(1, other.rows)) ** 2


def _whole(rows: Sequence[tuple[float, ...]], feature: int) -> float:
    """The price that would explain the middle run alone."""
    parts = sorted(1 / row[feature] for row in rows if row[feature] > 0)
    return parts[len(parts) // 2] if parts else 0.0
