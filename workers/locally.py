"""A linear model of the output around the instance (LIME), fitted to coalitions weighted by how near they are to it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from workers.coalitions import Coalitions, every_coalition, frozen
from workers.draws import generator
from workers.questions import Floats

CUT = 1e-9
"""Directions weaker than this share of the strongest are not determined by the coalitions."""


@dataclass(frozen=True, eq=False)
class Fit:
    """A linear model's coefficients, what it leaves unexplained, and their standard errors (None where not determined).

    `unexplained`: 1 - R^2, the share of the weighted variance that is left.
    """

    coefficients: Floats
    unexplained: float
    standard_error: Floats | None


@dataclass(frozen=True, eq=False)
class Local:
    """Coalitions, their weights and what solves for them, once for all rows.

    `coalitions`: those to ask for, bool [coalitions, players]. `weights`: [coalitions + 2], the last two of the instance and of
    the baseline, whose outputs are known. `solver`: [players + 1, players + 1]. `leverage`: [coalitions + 2].
    `complete`: whether these are all coalitions. `determined`: whether they tell the players apart. Not even all of them do
    where the kernel is so narrow that nothing counts but the instance.
    """

    coalitions: Coalitions
    weights: Floats
    solver: Floats
    leverage: Floats
    complete: bool
    determined: bool

    def fit(self, values: Floats, instance: float, baseline: float) -> Fit:
        """Weighted least squares with an intercept. `values`: of the coalitions."""
        outputs = np.concatenate([values, [instance, baseline]]) - instance  # large outputs lose no digits
        design, weights = self._design(), self.weights
        solved = self.solver @ (design.T @ (weights * outputs))
        rest = outputs - design @ solved
        about = outputs - np.average(outputs, weights=weights)
        total, left = float(weights @ about**2), float(weights @ rest**2)
        unexplained = left / total if total > 1e-18 * instance**2 else 0.0
        return Fit(solved[1:], min(unexplained, 1.0), self._errors(design, rest))

    def _errors(self, design: Floats, rest: Floats) -> Floats | None:
        """Sandwich with leverage-corrected residuals (HC3; MacKinnon & White, 1985)."""
        if not self.determined:
            return None
        if self.complete:
            return np.zeros(design.shape[1] - 1)
        blamed = (self.weights * rest / (1 - self.leverage))[:, None] * design
        return np.asarray(np.sqrt(((blamed @ self.solver) ** 2).sum(axis=0)[1:]))

    def _design(self) -> Floats:
        return _design(self.coalitions)


@lru_cache(maxsize=16)
def local(players: int, count: int, width: float, seed: int) -> Local:
    """A plan of at most `count` coalitions, each player present or absent with even odds; all of them where that is no more.

    Weights: exp(-(d / width)^2), d = 1 - sqrt(share of players present), the cosine distance to the instance.
    """
    complete = 2**players - 2 <= count
    drawn = every_coalition(players) if complete else generator(seed, f"lime/{players}").random((count, players)) < 0.5
    present = np.concatenate([drawn.mean(axis=1), [1.0, 0.0]])
    weights = np.exp(-(((1 - np.sqrt(present)) / width) ** 2))
    root = np.sqrt(weights)[:, None] * _design(drawn)
    gram = root.T @ root
    solver = np.linalg.pinv(gram, rcond=CUT, hermitian=True)
    determined = bool(np.linalg.matrix_rank(gram, tol=CUT * np.linalg.norm(gram, 2), hermitian=True) == players + 1)
    leverage = np.minimum(np.einsum("ij,jk,ik->i", root, solver, root, optimize=True), 1 - CUT)
    return Local(frozen(drawn), frozen(weights), frozen(solver), frozen(leverage), complete, determined)


def _design(coalitions: Coalitions) -> Floats:
    """A column of ones, and one per player, with the instance and the baseline as the last two rows."""
    count, players = coalitions.shape
    design = np.ones((count + 2, players + 1))
    design[:count, 1:] = coalitions
    design[count + 1, 1:] = 0.0
    return design
