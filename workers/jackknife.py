"""How sure a linear estimate is, from what each value is off when predicted from all the others.

The jackknife over pairs adds up (residual_j weight_ji)^2. It is too large, because a value is harder to foretell from the
others than by an estimate that has it too, and with few pairs it is itself uncertain. Both are known for a game that is as
variable as kriging takes it for, whatever its scale: so the sum is multiplied with what it should be over what it is on
average there, and widened by Student's t, with Satterthwaite's degrees of freedom.

After Bell & McCaffrey, "Bias reduction in standard errors for linear regression with multi-stage samples", 2002, who do so for
regression with white noise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workers.coalitions import frozen
from workers.questions import Floats
from workers.standard_errors import widening

CUT = 1e-6
"""A value with less than this share of the largest precision is one that the others say nothing of: it has no residual."""
ROWS = 256
"""Rows of the precision matrix that are squared at once."""


def residual_maker(precision: Floats) -> Floats:
    """Takes values to their leave-one-out residuals, (P u)_j / P_jj (Dubrule, 1983), [pairs + 1, pairs + 1]."""
    own = np.diagonal(precision)
    return frozen(np.where(_foretold(own), precision.T / np.where(_foretold(own), own, 1), 0).T)


def counts(precision: Floats, weights: Floats, unseen: Floats, variance: Floats) -> Floats:
    """What each squared residual counts in each estimate's variance, [pairs + 1, players].

    `precision`: [pairs + 1, pairs + 1], of the values once the free part is taken out. `unseen`: the share of each pair's kind
    that was not drawn (finite population). `variance`: of each estimate, [players], in the units of `precision`.
    """
    own = np.diagonal(precision)
    plain = np.where(_foretold(own), unseen, 0)[:, None] * weights**2
    shares = plain / np.where(_foretold(own), own, 1)[:, None] ** 2  # of (P u)_j^2; any two of P u covary by P_jk
    expected = own @ shares
    joint = sum(shares[at].T @ precision[at] ** 2 for at in _blocks(len(precision)))
    degrees = expected**2 / np.einsum("ij,ji->i", joint, shares)
    return frozen(plain * (variance / expected * widening(degrees) ** 2))


def _foretold(own: Floats) -> NDArray[np.bool_]:
    return np.asarray(own > CUT * own.max())


def _blocks(rows: int) -> list[slice]:
    return [slice(first, first + ROWS) for first in range(0, rows, ROWS)]
