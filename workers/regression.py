"""Shapley values by weighted regression on pairs of coalitions: what serves when there are too many pairs for kriging.

Kernel SHAP's regression on the constrained space (Covert & Lee, AISTATS 2021) with the weights of Leverage SHAP. Its cost grows
linearly with the pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from workers.coalitions import Coalitions, frozen
from workers.questions import Floats

CUT = 1e-9
"""Directions weaker than this share of the strongest are not determined by the pairs; they get the minimal-norm answer."""


@dataclass(frozen=True, eq=False)
class Regression:
    """A linear estimator for one set of pairs: u = z phi / 2 with sum(phi) = 2 u(1, ..., 1), by weighted least squares.

    `halves`: z / 2, [pairs, players]. `weights`: [pairs, players]. `slack`: 1 - leverage, [pairs]. `unseen`: [pairs].
    """

    halves: Floats
    weights: Floats
    slack: Floats
    unseen: Floats

    def answer(self, odd: Floats) -> tuple[Floats, Floats]:
        """Shapley values and their variances, each [players]."""
        return self.values(odd), self.variances(odd)

    def values(self, odd: Floats) -> Floats:
        """Shapley values [players] from the odd values [pairs + 1], the last one for the grand coalition."""
        share = 2 * odd[-1] / self.halves.shape[1]
        rest = odd[:-1] - self.halves.sum(axis=1) * share
        return np.asarray(rest @ self.weights + share)

    def variances(self, odd: Floats) -> Floats:
        """Residual sandwich with finite-population correction, [players]; unbiased where the rest is white noise (HC2)."""
        residuals = odd[:-1] - self.halves @ self.values(odd)
        return np.asarray((self.unseen / self.slack * residuals**2) @ self.weights**2)


def regression(pairs: Coalitions, inclusion: Floats) -> Regression:
    """The estimator for some pairs. `inclusion`: the share of each pair's kind that was drawn."""
    n, s = pairs.shape[1], pairs.sum(axis=1, dtype=np.float64)
    kernel = np.exp(gammaln(s + 1) + gammaln(n - s + 1) - gammaln(n + 1)) / (s * (n - s))
    root = np.sqrt(kernel / inclusion)
    root /= root.max()
    halves = np.where(pairs, 0.5, -0.5)
    design = root[:, None] * (halves - halves.mean(axis=1, keepdims=True))  # the constraint: only differences from the mean
    solver = np.linalg.pinv(design.T @ design, rcond=CUT, hermitian=True)
    leverage = np.einsum("ji,ik,jk->j", design, solver, design, optimize=True)
    weights = root[:, None] * (design @ solver)
    return Regression(frozen(halves), frozen(weights), frozen(np.maximum(1 - leverage, CUT)), frozen(1 - inclusion))
