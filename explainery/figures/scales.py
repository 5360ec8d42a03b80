"""Where a colour scale ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

MANY = 1000
"""From so many elements on a few extreme ones do not decide the scale."""
SHARE = 0.995


def limit_of(values: NDArray[Any]) -> tuple[float, bool]:
    """The amount with the strongest colour, and whether some lie beyond it."""
    import numpy as np

    sizes = np.abs(values[np.isfinite(values)]).reshape(-1)
    if not sizes.size or not sizes.any():
        return 1.0, False
    most = float(sizes.max())
    if sizes.size < MANY:
        return most, False
    limit = float(np.quantile(sizes, SHARE))
    return (limit, True) if 0 < limit < 0.8 * most else (most, False)
