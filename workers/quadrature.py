"""Integrals over a path by Gauss-Legendre rules, with more and more nodes until the attributions add up."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from explainery.contract.catalogue import Param
from workers.coalitions import frozen
from workers.questions import Answer, Floats, Question

FIRST_STEPS = 16
ADVICE = "The attributions miss what they should sum to by more than the tolerance; raise max_steps, or take a nearer baseline."
PANEL = 512
"""Most nodes of one rule."""


def tolerance(of: str) -> Param:
    """When a method that integrates may stop. `of`: what the attributions should sum to."""
    return Param(
        name="tolerance",
        type="number",
        default=0.01,
        unit=f"share of {of}",
        minimum=0,
        maximum=1,
        help=f"Stop when the attributions miss {of} by at most this; 0: one rule of max_steps nodes.",
    )


def max_steps(least: int, more: str = "") -> Param:
    """What such a method may cost. `more`: what else counts."""
    return Param(
        name="max_steps",
        type="integer",
        default=256,
        unit="gradient evaluations",
        minimum=least,
        maximum=100_000,
        help=f"Gradient evaluations a row may cost, over all stages{more}.",
    )


@dataclass(frozen=True)
class Refined:
    """The best attribution that was found, by name; how far it misses, and whether that is within the tolerance."""

    attribution: dict[str, Floats]
    error: float
    converged: bool | None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know."""
        return (ADVICE,) if self.converged is False else ()


def refined(
    ask: Callable[[Floats, Floats], Question],
    found: Callable[[Answer], dict[str, Floats]],
    change: float,
    steps: int,
    within: float,
) -> Generator[Question, Answer, Refined]:
    """Integrate with more and more nodes until the attributions sum to `change` within the tolerance, or `steps` are spent.

    `ask`: the question for a rule's nodes and weights; `found`: the attributions in its answer.
    """
    best = math.inf
    attribution: dict[str, Floats] = {}
    for size in stages(steps, within):
        answer = yield ask(*gauss_legendre(size))
        gap = completeness_gap(found(answer), change)
        if gap < best or not attribution:
            best, attribution = gap, found(answer)
        if best <= within:
            break
    # Without a tolerance there is nothing to converge to, unless the answer is exact.
    return Refined(attribution, best, best <= within if within or best == 0 else None)


def stages(max_steps: int, tolerance: float) -> Iterator[int]:
    """Nodes of each stage: 16, 32, 64, ..., the last one takes what is left. One stage without a tolerance."""
    left, steps = max_steps, FIRST_STEPS
    while tolerance > 0 and left >= 3 * steps:  # this stage, and one of twice its size after it
        yield steps
        left, steps = left - steps, 2 * steps
    yield left


@lru_cache(maxsize=64)
def gauss_legendre(steps: int) -> tuple[Floats, Floats]:
    """Nodes and weights of a Gauss-Legendre rule on (0, 1), each [steps]; cached and read-only.

    More than `PANEL` nodes are spread over panels of nearly equal size: one rule of n nodes takes n^2 memory to find.
    """
    panels = math.ceil(steps / PANEL)
    sizes = [steps // panels + (panel < steps % panels) for panel in range(panels)]
    edges = np.cumsum([0, *sizes]) / steps
    rules = [np.polynomial.legendre.leggauss(size) for size in sizes]
    widths = np.diff(edges)
    nodes = [edge + width * (node + 1) / 2 for edge, width, (node, _) in zip(edges, widths, rules, strict=False)]
    weights = [width * weight / 2 for width, (_, weight) in zip(widths, rules, strict=True)]
    return frozen(np.concatenate(nodes)), frozen(np.concatenate(weights))


def completeness_gap(attribution: Mapping[str, Floats], difference: float) -> float:
    """|sum of attributions - difference| / max(|difference|, 1e-12)."""
    total = sum(float(part.sum()) for part in attribution.values())
    return abs(total - difference) / max(abs(difference), 1e-12)
