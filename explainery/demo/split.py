"""Rows to learn from, and rows that no model has seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

HELD_OUT = 0.2


@dataclass(frozen=True)
class Split:
    """Inputs (float32) and truths of both parts."""

    train_x: NDArray[np.float32]
    train_y: NDArray[Any]
    held_x: NDArray[np.float32]
    held_y: NDArray[Any]


def split(inputs: NDArray[Any], truths: NDArray[Any], *, stratify: bool) -> Split:
    """Hold out a fifth of the rows, always the same ones. `stratify`: every class in equal share."""
    from sklearn.model_selection import train_test_split

    parts = train_test_split(
        inputs.astype(np.float32), truths, test_size=HELD_OUT, random_state=0, stratify=truths if stratify else None
    )
    return Split(parts[0], parts[2], parts[1], parts[3])
