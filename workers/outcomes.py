"""What a model's outputs decide: which class, and by how much it leads the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import InvalidTarget
from explainery.contract.model_card import OutputSpec
from explainery.contract.tables import outcome_names
from workers.questions import Floats

LEAST = 1e-6
"""Of the outputs' size: a lead below this may be rounding, and is none."""


@dataclass(frozen=True)
class Classes:
    """The classes that an output tells apart."""

    names: tuple[str, ...]
    threshold: float | None = None
    """Of a single column: from here on it is the class 1."""

    def of(self, outputs: Floats) -> NDArray[np.int64]:
        """The class at each point, [points]."""
        if self.threshold is not None:
            return (outputs[:, 0] >= self.threshold).astype(np.int64)
        return np.asarray(outputs.argmax(axis=1))

    def lead(self, outputs: Floats, of: int) -> Floats:
        """How far a class is before the best of the others; below 0 where it is behind."""
        if self.threshold is not None:
            return (outputs[:, 0] - self.threshold) * (1.0 if of == 1 else -1.0)
        return np.asarray(outputs[:, of] - np.delete(outputs, of, axis=1).max(axis=1))


def classes_of(output: OutputSpec) -> Classes | None:
    """The classes of an output; None where it is a number."""
    names = outcome_names(output)
    if names is None:
        return None
    if output.columns == 1:
        return Classes(names, 0.5 if output.kind == "probabilities" else 0.0)
    return Classes(names)


def column_of(target: int | str | None, outputs: Floats, of: str = "The output") -> int:
    """The column of a row's target. `outputs`: of the row, [columns]. Raises InvalidTarget where it does not fit these."""
    if target == "predicted":
        return int(np.argmax(outputs))
    if target is None and len(outputs) > 1:
        raise InvalidTarget(f"{of} has {len(outputs)} columns here: name one of them as the target.")
    column = int(target or 0)
    if not 0 <= column < len(outputs):
        raise InvalidTarget(f"The target is out of range: {of} has {len(outputs)} columns here.")
    return column


@dataclass(frozen=True)
class Goal:
    """What is wanted of an output: a class, any class but one, or a value between two ends."""

    classes: Classes | None
    wanted: int | None = None
    unwanted: int | None = None
    column: int = 0
    low: float = -np.inf
    high: float = np.inf

    def gap(self, outputs: Floats) -> Floats:
        """How far inside the goal each point is, [points]; below 0 outside."""
        if self.classes is not None and self.wanted is not None:
            return self.classes.lead(outputs, self.wanted)
        if self.classes is not None and self.unwanted is not None:
            return -self.classes.lead(outputs, self.unwanted)
        value = outputs[:, self.column]
        return np.minimum(value - self.low, self.high - value)

    def need(self, outputs: Floats, share: float) -> float:
        """How far inside is far enough: a share of how far the instance, `outputs` [1, columns], is outside.

        Never so little that it may be rounding. Between two ends: no more than that.
        """
        least = LEAST * max(float(np.abs(outputs).max()), 1.0 if self.wanted is None and self.unwanted is None else 0.0)
        if self.wanted is None and self.unwanted is None:
            return min(least, (self.high - self.low) / 2)
        return max(least, share * max(0.0, -float(self.gap(outputs)[0])))
