"""Shapley values from the values of some pairs of coalitions: best linear prediction, with standard errors.

Shapley values depend only on the odd part of the value function, u(z) = (v(S) - v(complement)) / 2, where z is +1 for a
member of S and -1 for the others. Written in products of coordinates, u = sum over odd T of c_T prod_{i in T} z_i, they are

    phi_i = 2 sum over odd T with i in T of c_T / |T|.

Kernel SHAP fits the first order (|T| = 1) and takes the rest for noise. Here the rest is a random function: its c_T are
independent, with variance rho^|T| for |T| = 3, 5, ...; the first order is left free (universal kriging; with white noise in
place of the higher orders it is the regression of Covert & Lee, AISTATS 2021). The estimate is linear in the values as
there, but interpolates them; it is exact on additive games and when all pairs are known, and complete because
u(1, ..., 1) is known. Then `workers/triples.py` looks at each row. `docs/decisions.md` says what it was measured against.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri
from scipy.special import gammaln

from workers.coalitions import Coalitions, frozen, shapley_weights
from workers.jackknife import degrees
from workers.questions import Floats
from workers.triples import Plan

CUT = 1e-9
"""Directions weaker than this share of the strongest are not determined by the pairs; they get the minimal-norm answer."""
JITTER = 1e-10
SPREAD = 2.0
"""rho times the number of players: all products of order k together then weigh about SPREAD^k / k!."""


@dataclass(frozen=True, eq=False)
class Kriging:
    """A linear estimator for one set of pairs; one serves every row and target.

    `weights`: [pairs + 1, players], the last row for the grand coalition. `plan`: what is known of the pairs; None when the
    answer is exact, or when the pairs are too few to leave one out.
    """

    weights: Floats
    plan: Plan | None = None
    exact: bool = False

    def answer(self, odd: Floats) -> tuple[Floats, Floats | None]:
        """Shapley values, with the triples that stand out in a row's values, and their variances, each [players].

        The variances are None when the pairs are too few to tell.
        """
        if self.plan is not None:
            return self.plan.answer(odd)
        return np.asarray(odd @ self.weights), np.zeros(self.weights.shape[1]) if self.exact else None


def exact(pairs: Coalitions) -> Kriging:
    """The estimator for all pairs of a game: the definition of the Shapley value."""
    grand = np.ones((1, pairs.shape[1]), dtype=bool)
    return Kriging(frozen(2 * shapley_weights(np.concatenate([pairs, grand]))), exact=True)


def kriging(pairs: Coalitions, inclusion: Floats) -> Kriging:
    """The estimator for some pairs. `inclusion`: the share of each pair's kind that was drawn."""
    n = pairs.shape[1]
    z = np.where(np.concatenate([pairs, np.ones((1, n), dtype=bool)]), 1.0, -1.0)
    rho = min(SPREAD / n, 0.9)
    # Adding z z' changes nothing while the first order is free, and makes the matrix invertible near full enumeration.
    inverse = _inverse(_higher_orders(z, rho) + z @ z.T / n)
    inverse_z = inverse @ z
    information = z.T @ inverse_z
    cofactor = np.linalg.pinv(information, rcond=CUT, hermitian=True)
    free = inverse_z @ cofactor
    with_phi = _with_shapley(z, rho) + 2 * z / n
    slope = 2 * np.eye(n) - inverse_z.T @ with_phi
    weights = frozen(_complete(inverse @ with_phi + free @ slope))
    if len(z) <= n or np.linalg.cond(information) * CUT > 1:
        return Kriging(weights)
    precision = frozen(inverse - free @ inverse_z.T)
    variance = _of_shapley(n, rho) + 4 / n - (weights * (with_phi - z @ (cofactor @ slope))).sum(axis=0)
    unseen = frozen(1 - np.append(inclusion, 1.0))
    freedom = degrees(precision, weights, unseen)
    return Kriging(weights, Plan(frozen(z), weights, precision, unseen, frozen(variance), frozen(freedom)))


def _inverse(covariance: Floats) -> Floats:
    """The inverse of a symmetric positive matrix, in place: these matrices are the most memory a job takes."""
    covariance[np.diag_indices_from(covariance)] += JITTER
    factor, failed = dpotrf(covariance.T, lower=True, overwrite_a=True)
    if failed:
        raise ArithmeticError("the covariance of the coalitions is singular")
    lower, _ = dpotri(factor, lower=True, overwrite_c=True)
    below = np.tril_indices_from(lower, k=-1)
    lower.T[below] = lower[below]
    return np.asarray(lower)


def _higher_orders(z: Floats, rho: float) -> Floats:
    """Covariance of u at two points: (prod(1 + rho z z') - prod(1 - rho z z')) / 2 without its first order, scaled to 1."""
    n = z.shape[1]
    agree = np.arange(n + 1)  # of the n coordinates; the covariance is a function of their number
    differ = n - agree
    odd = ((1 + rho) ** agree * (1 - rho) ** differ - (1 - rho) ** agree * (1 + rho) ** differ) / 2
    table = (odd - rho * (agree - differ)) / _variance(n, rho)
    return np.asarray(table[np.rint((z @ z.T + n) / 2).astype(np.int16)])


def _with_shapley(z: Floats, rho: float) -> Floats:
    """Covariance of u(z) with phi_i: 2 z_i sum_k rho^k / k e_{k-1}(z without i), k = 3, 5, ..., scaled like the above.

    The sum is the integral over t in (0, rho) of the even part of prod_{j not i} (1 + t z_j), less 1 (e: elementary symmetric).
    """
    n = z.shape[1]
    present = (z > 0).astype(np.int64)
    plus = np.clip(np.arange(n + 1)[:, None] - [0, 1], 0, n - 1)  # by size and by own presence: other players present
    minus = n - 1 - plus
    nodes, shares = np.polynomial.legendre.leggauss(24)
    integral = np.zeros(plus.shape)
    for t, share in zip(rho * (nodes + 1) / 2, rho * shares / 2, strict=True):
        even = ((1 + t) ** plus * (1 - t) ** minus + (1 - t) ** plus * (1 + t) ** minus) / 2
        integral += share * (even - 1)
    return np.asarray(2 * z * integral[present.sum(axis=1)[:, None], present] / _variance(n, rho))


def _of_shapley(n: int, rho: float) -> float:
    """Variance of phi_i: 4 sum_k rho^k / k^2 C(n - 1, k - 1), k = 3, 5, ..., scaled like the above."""
    k = np.arange(3, n + 1, 2)
    orders = k * np.log(rho) - 2 * np.log(k) + gammaln(n) - gammaln(k) - gammaln(n - k + 1)
    return float(4 * np.exp(orders).sum() / _variance(n, rho))


def _variance(n: int, rho: float) -> float:
    return float(((1 + rho) ** n - (1 - rho) ** n) / 2 - rho * n)


def _complete(weights: Floats) -> Floats:
    """The weights with their rounding errors spread, so that values sum to 2 u(1, ..., 1) to the last digit."""
    wanted = np.zeros(len(weights))
    wanted[-1] = 2.0
    return np.asarray(weights + ((wanted - weights.sum(axis=1)) / weights.shape[1])[:, None])
