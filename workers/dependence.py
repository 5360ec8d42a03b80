"""Whether an output depends on binary features: the Hilbert-Schmidt independence criterion (HSIC), as a share between 0 and 1.

    HSIC(z, y) = E[k l] + E[k] E[l] - 2 E[E[k] E[l]],   k(z, z') = 1 if z = z' else 0,   l(y, y') = exp(-(y - y')^2 / (2 h^2))

The share is HSIC(z, y) / sqrt(HSIC(z, z) HSIC(y, y)) (Da Veiga, 2015). For features that are present half of the time
HSIC(z, z) is 1/4. h is the median distance of two outputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workers.questions import Floats
from workers.standard_errors import widening

OF_A_COIN = 0.25
"""HSIC of a feature with itself, present half of the time."""
BLOCKS = 8
"""Parts of the sample that the jackknife leaves out in turn."""


def kernel(outputs: Floats) -> Floats:
    """Likeness of each two outputs, [n, n]."""
    squares = (outputs[:, None] - outputs[None, :]) ** 2
    apart = squares[np.triu_indices(len(outputs), 1)]
    width = float(np.median(apart)) or float(apart.mean())  # most outputs may be equal
    return np.asarray(np.exp(-squares / (2 * width))) if width else np.ones_like(squares)


def whole(signs: Floats, likeness: Floats) -> Floats:
    """The share of each feature, [features], where the sample is everything there is. `signs`: +-1, [n, features]."""
    n = len(signs)
    centred = likeness - likeness.mean(axis=0)
    centred = centred - centred.mean(axis=1, keepdims=True)
    own = float((centred**2).sum()) / n**2
    return _share(((centred @ signs) * signs).sum(axis=0) / (2 * n**2), own)


def sampled(signs: Floats, likeness: Floats) -> Floats:
    """The share of each feature from a sample, without the excess that chance likeness gives: it may be just below zero.

    The unbiased estimator (Song, Smola, Gretton, Bedo & Borgwardt, Feature Selection via Dependence Maximization, JMLR 2012).
    """
    n = len(signs)
    apart = likeness - np.diag(np.diag(likeness))
    rows = apart.sum(axis=1)
    total, sums = float(rows.sum()), signs.sum(axis=0)
    together = (total + ((apart @ signs) * signs).sum(axis=0)) / 2
    every = (n**2 + sums**2) / 2 - n
    joint = (n * total + sums * (rows @ signs)) / 2 - total
    own = _unbiased(float((apart**2).sum()), total**2, float((rows**2).sum()), n)
    return _share(_unbiased(together, every * total, joint, n), own)


def jackknifed(signs: Floats, likeness: Floats) -> Floats:
    """Standard error of `sampled`: its change when a block of the sample is left out (Tukey, 1958). Widened for few blocks."""
    block = np.arange(len(signs)) % BLOCKS
    without = np.array(
        [sampled(signs[block != part], likeness[np.ix_(block != part, block != part)]) for part in range(BLOCKS)]
    )
    return np.asarray(
        widening(BLOCKS - 1) * np.sqrt((BLOCKS - 1) / BLOCKS * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    )


def _unbiased(together: Any, totals: Any, joint: Any, n: int) -> Any:
    """Of two kernels without their diagonals: tr(K L), 1'K1 1'L1, and 1'K L1, each a number or one per feature."""
    return (together + totals / ((n - 1) * (n - 2)) - 2 * joint / (n - 2)) / (n * (n - 3))


def _share(found: Floats, own: float) -> Floats:
    return np.asarray(found / np.sqrt(OF_A_COIN * own)) if own > 0 else np.zeros_like(found)
