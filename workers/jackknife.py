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

from workers.questions import Floats

CUT = 1e-6
"""A value with less than this share of the largest precision is one that the others say nothing of: it has no residual."""
ROWS = 256
"""Rows of the precision matrix that are squared at once."""


def variances(found: Floats, own: Floats, weights: Floats, unseen: Floats, variance: Floats) -> Floats:
    """Of the estimates `values @ weights`, [players].

    `found`: P u, and `own`: P_jj, [pairs + 1], of the precision P that the values u have once the free part is taken out; the
    leave-one-out residuals are their quotient (Dubrule, 1983). `unseen`: the share of each pair's kind that was not drawn
    (finite population). `variance`: of each estimate, [players], in the units of P.
    """
    foretold = _foretold(own)
    plain = np.where(foretold, unseen, 0)[:, None] * weights**2
    scale = np.where(foretold, own, 1)
    return np.asarray((found / scale) ** 2 @ plain * variance / ((1 / scale) @ plain))


def degrees(precision: Floats, weights: Floats, unseen: Floats) -> Floats:
    """Degrees of freedom of the variances, by Satterthwaite, [players]."""
    own = np.diagonal(precision)
    foretold = _foretold(own)
    shares = np.where(foretold, unseen, 0)[:, None] * (weights / np.where(foretold, own, 1)[:, None]) ** 2  # of (P u)_j^2
    joint = sum(shares[at].T @ precision[at] ** 2 for at in _blocks(len(precision)))  # P_jk is how (P u)_j and (P u)_k covary
    return np.asarray((own @ shares) ** 2 / np.einsum("ij,ji->i", joint, shares))


def _foretold(own: Floats) -> NDArray[np.bool_]:
    return np.asarray(own > CUT * own.max())


def _blocks(rows: int) -> list[slice]:
    return [slice(first, first + ROWS) for first in range(0, rows, ROWS)]
