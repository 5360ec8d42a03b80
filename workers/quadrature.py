"""Integrals over a path by Gauss-Legendre rules, with more and more nodes until the attributions add up."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np

from workers.coalitions import frozen
from workers.questions import Floats

FIRST_STEPS = 16
PANEL = 512
"""Most nodes of one rule."""


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
