"""Timing and Markdown tables, for every benchmark."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence


def best_of(action: Callable[[], object], runs: int) -> float:
    """The shortest of some runs, in seconds: what the machine can do when nothing else disturbs it."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return min(times)


def rounds(actions: Sequence[Callable[[], object]], runs: int) -> list[list[float]]:
    """Seconds of each action, round by round, taken in turns.

    Machines like ours change their speed by a factor of two within minutes: compare within a round, then take the median of
    the rounds' ratios.
    """
    return [[best_of(action, 1) for action in actions] for _ in range(runs)]


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print one table."""
    print(f"\n### {title}\n")
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")


def met(value: float, bound: float, *, at_least: bool = True) -> str:
    """Say whether a figure meets its bound."""
    good = value >= bound if at_least else value <= bound
    return f"{'met' if good else 'MISSED'} ({'>=' if at_least else '<='} {bound:g})"
