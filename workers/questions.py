"""What a method may ask of a model. Questions are small descriptions; what they describe is built on the device.

A method yields one question and is sent its answer. All questions are about one row's `Game`: its instance x, the
baselines b that stand for absent features, and the explained output f (one number per evaluation).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Factor = Literal["one", "instance", "difference"]
"""What each gradient is multiplied with, element by element, before it is summed: 1, x, or (x - b)."""


@dataclass(frozen=True, eq=False)
class Values:
    """Value of coalitions: f where the players of a coalition keep the instance's value and the others the baseline's.

    `coalitions`: bool [coalitions, players], True = present. With a background set the value is the mean over it.
    Ask with the very same array for many rows (a cached plan): the engine then builds its masks once.
    Answer: float64 [coalitions].
    """

    coalitions: NDArray[np.bool_]

    @property
    def evaluations(self) -> int:
        """Model calls this costs per baseline row."""
        return len(self.coalitions)


@dataclass(frozen=True)
class Noise:
    """Gaussian noise added to the points of a `Gradients` question: point i gets draw `first + i` of this seed.

    `scale` is a share of each input's range (max - min of the row), as SmoothGrad defines it.
    """

    seed: int
    scale: float
    first: int = 0


@dataclass(frozen=True, eq=False)
class Gradients:
    """Weighted sum of input gradients at points b + alpha (x - b) + noise.

    `alphas`, `weights`: float64 [points]. Answer: a `GradientAnswer`.
    """

    alphas: Floats
    weights: Floats
    factor: Factor = "one"
    noise: Noise | None = None

    @property
    def evaluations(self) -> int:
        """Gradient calls this costs per baseline row."""
        return len(self.alphas)


Question = Values | Gradients


@dataclass(frozen=True)
class GradientAnswer:
    """`sums`: input name -> float64 array shaped like one row. `outputs`: f at each point, float64 [points]."""

    sums: dict[str, Floats]
    outputs: Floats


Answer = Any
"""Floats for `Values`, `GradientAnswer` for `Gradients`."""


@dataclass(frozen=True)
class Solution:
    """What a method returns for one row: either one value per player, or one per element of every input.

    `per_player`: float64 [players]. `per_element`: input name -> array shaped like one row.
    `standard_error`: float64 [players], for sampling methods. `error`: the figure that `tolerance` was compared with.
    `notes`: what a reader should know (and why `converged` is False, when it is).
    """

    per_player: Floats | None = None
    per_element: dict[str, Floats] | None = None
    standard_error: Floats | None = None
    error: float | None = None
    converged: bool | None = None
    notes: tuple[str, ...] = field(default=())
