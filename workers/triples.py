"""Triples of players that stand out: kriging again, with a variance of their own for what a row's values speak for.

Kriging takes every product of three players for equally likely. In most models few of them matter, and those a lot. So, row by
row, each triple among the players with the largest values is tested: what its product says of the residuals, over the
standard deviation of that. Those beyond what chance would show once in a thousand times among so many candidates get a variance
of their own; then the rest is tested again. Where none stands out the answer is kriging's.

OddSHAP (Fumagalli et al., "An Odd Estimator for Shapley Values", 2026) screens odd products too, by boosted trees, and
regresses on them; `docs/decisions.md` says how the two compare. The update is Woodbury's: a row inverts nothing large.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from workers.coalitions import frozen
from workers.jackknife import variances
from workers.questions import Floats
from workers.standard_errors import widening

AMONG = 20
"""Players whose triples are tested: those with the largest values."""
MOST = 64
SHARE = 0.1
"""Most triples, at all and as a share of the pairs."""
OWN = 4.0
"""Variance of all triples that may be chosen together, beside 1 of all higher orders without them."""
CHANCE = 0.001
ROUNDS = 4
AT_ONCE = 32
"""Triples that are tested exactly in a round, those that look best."""
Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Plan:
    """What kriging knows of its pairs. `signs`: z, `weights`: [pairs + 1, players]. `precision`: P, [pairs + 1, pairs + 1].

    `unseen`, `variance`, `degrees`: as in `workers/jackknife.py`.
    """

    signs: Floats
    weights: Floats
    precision: Floats
    unseen: Floats
    variance: Floats
    degrees: Floats

    def plain(self, odd: Floats) -> Floats:
        """Variances of kriging's own values, [players]."""
        own = np.diagonal(self.precision)
        return widening(self.degrees) ** 2 * variances(self.precision @ odd, own, self.weights, self.unseen, self.variance)

    def answer(self, odd: Floats) -> tuple[Floats, Floats]:
        """Shapley values and their variances, each [players], with the triples that stand out."""
        plain = odd @ self.weights
        found = chosen(self, odd, foremost(plain))
        if found is None:
            return plain, self.plain(odd)
        shares = np.zeros((len(found.members), len(plain)))
        np.put_along_axis(shares, found.members, 2 / 3, axis=1)  # of a triple's coefficient, in the values of its three
        beyond = shares - found.products.T @ self.weights  # what its coefficient adds to what kriging says of the others
        weights = self.weights + found.told @ beyond
        own = np.diagonal(self.precision) - (found.told * found.seen).sum(axis=1)
        variance = self.variance + ((found.covariance @ beyond) * beyond).sum(axis=0)
        spread = variances(found.residual, own, weights, self.unseen, variance)
        rest = len(odd) - len(plain)
        wide = widening(self.degrees * (1 - len(found.members) / rest))
        return np.asarray(plain + found.coefficients @ beyond), wide**2 * spread


@dataclass(frozen=True, eq=False)
class Chosen:
    """Triples with a variance of their own, [triples, 3], and what the values say of their coefficients.

    `products`: Z, [pairs + 1, triples]. `seen`: P Z. `covariance`: B, of the coefficients given the values. `told`: P Z B.
    `coefficients`: B Z' P u. `residual`: P' u, [pairs + 1], of the precision P' with these triples.
    """

    members: Numbers
    products: Floats
    seen: Floats
    covariance: Floats
    told: Floats
    coefficients: Floats
    residual: Floats


def foremost(values: Floats) -> Numbers:
    """The players with the largest values, whose triples are tested, in order."""
    return np.sort(np.argsort(-np.abs(values), kind="stable")[:AMONG])


def chosen(plan: Plan, odd: Floats, among: Numbers) -> Chosen | None:
    """The triples of some players that stand out; None where none does."""
    points, players = plan.signs.shape
    limit = min(int(np.ceil(SHARE * points)), MOST)
    z, candidates = plan.signs[:, among], combined(len(among), 3)
    one, two = combined(len(among), 2).T
    pairs = z[:, one] * z[:, two]
    of_pair, third = _pair_of(len(among)), candidates[:, 2]
    first = plan.precision @ odd
    residual, found = first, None
    taken, having, seen = np.empty(0, dtype=np.int64), np.empty((points, 0)), np.empty((points, 0))
    for _ in range(ROUNDS):
        degrees, room = points - players - len(taken), min(limit - len(taken), AT_ONCE)
        if degrees < 2 or not room or not len(candidates):
            break
        scores = (pairs.T @ (residual[:, None] * z))[of_pair, third] ** 2
        scores[taken] = 0
        best = np.argsort(-scores, kind="stable")[:room]
        products = pairs[:, of_pair[best]] * z[:, third[best]]
        fresh = plan.precision @ products
        deviations = (fresh * products).sum(axis=0) * (max(float(odd @ residual), 0) / degrees)
        out = scores[best] > bound(len(candidates), degrees) * np.maximum(deviations, 0)
        if not out.any():
            break
        taken, seen = np.append(taken, best[out]), np.append(seen, fresh[:, out], axis=1)
        having = np.append(having, products[:, out], axis=1)
        found = _with(first, having, seen, among[candidates[taken]], OWN / limit)
        residual = found.residual
    return found


def bound(candidates: int, degrees: int) -> float:
    """What the largest squared score of so many is under, in variances, where none stands out: Student's t and Bonferroni.

    The variance is that of the residuals, which has the candidate's own part in it.
    """
    outer = float(student.isf(CHANCE / 2 / candidates, degrees - 1)) ** 2
    return outer * degrees / (degrees - 1 + outer)


def _with(first: Floats, products: Floats, seen: Floats, members: Numbers, own: float) -> Chosen:
    covariance: Floats = np.linalg.inv(np.eye(len(members)) / own + products.T @ seen).astype(np.float64)
    coefficients = covariance @ (products.T @ first)
    return Chosen(members, products, seen, covariance, seen @ covariance, coefficients, first - seen @ coefficients)


@lru_cache(maxsize=2 * (AMONG + 1))
def combined(players: int, size: int) -> Numbers:
    """All sets of so many of the players, [sets, size]."""
    return frozen(np.array(list(combinations(range(players), size)), dtype=np.int64).reshape(-1, size))


@lru_cache(maxsize=AMONG + 1)
def _pair_of(players: int) -> Numbers:
    """Where the first two of each triple are among the pairs, [triples]."""
    place = np.zeros((players, players), dtype=np.int64)
    first, second = combined(players, 2).T
    place[first, second] = np.arange(len(first))
    triples = combined(players, 3)
    return frozen(place[triples[:, 0], triples[:, 1]])
