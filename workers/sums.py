"""What has come in for a question: weighted sums over its points, kept on the device."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import ModelOutputNotFinite
from workers.plugins import Array, Model
from workers.points import Row, baselines_in, per_point
from workers.questions import Factor, Floats

FIGURES = "figures"
"""What figures are kept under: they say themselves what is not finite."""


class Points(Protocol):
    """Evaluations `start` to `stop` of a question."""

    @property
    def start(self) -> int: ...  # noqa: D102
    @property
    def stop(self) -> int: ...  # noqa: D102


class Weighted(Protocol):
    """A question whose points are weighted and summed."""

    @property
    def weights(self) -> Floats: ...  # noqa: D102
    @property
    def factor(self) -> Factor: ...  # noqa: D102


class Sums:
    """Sums by what they are of ("inputs", "activations", ...) and by name."""

    def __init__(self) -> None:
        self._totals: dict[tuple[str, str], Array] = {}
        self._references: list[Floats] = []
        self._kept: dict[tuple[str, str], list[Array]] = {}
        self.last: dict[str, tuple[Array, Array]] = {}
        """Layer -> activation and gradient at the last point of each baseline, where steps are summed."""
        self.first: dict[str, Array] = {}
        """Input -> gradient at the first point, where a spread is summed about it."""

    def add(self, what: str, name: str, part: Array) -> None:
        """Add to a sum."""
        key = (what, name)
        self._totals[key] = self._totals[key] + part if key in self._totals else part

    def keep(self, what: str, name: str, part: Array) -> None:
        """Keep points as they are, for a question that wants each of them."""
        self._kept.setdefault((what, name), []).append(part)

    def note_references(self, outputs: Floats) -> None:
        """Note the score of rows that the points were paired with."""
        self._references.append(outputs)

    @property
    def reference(self) -> float | None:
        """The mean score of the rows that the points were paired with; None where there were none."""
        return float(np.concatenate(self._references).mean()) if self._references else None

    def fetched(self, model: Model) -> dict[str, dict[str, Floats]]:
        """All sums as float64, by what they are of. Raises ModelOutputNotFinite; figures may be anything."""
        found: dict[str, dict[str, NDArray[Any]]] = {}
        kept = {key: model.xp.concatenate(parts) for key, parts in self._kept.items()}
        for (what, name), total in {**self._totals, **kept}.items():
            array = found.setdefault(what, {})[name] = _on_host(model, total)
            if what != FIGURES and not np.isfinite(array).all():
                raise ModelOutputNotFinite(
                    "The model's gradient is NaN or infinite for this row; use another baseline, or a method without gradients."
                )
        return found


def _on_host(model: Model, total: Array) -> Floats:
    return np.asarray(total, dtype=np.float64) if isinstance(total, np.ndarray) else model.fetch(total)


SINGLE = 4
"""Bytes of a number of single precision."""


def weights_of(row: Row, question: Weighted, points: Points) -> Floats:
    """The weight of each evaluation, shared by the row's baselines."""
    count = baselines_in(row, question)
    order = np.arange(points.start, points.stop)
    if row.shares is not None and count == row.backgrounds:
        return question.weights[order // count] * row.shares[order % count]
    return question.weights[order // count] / count


def add_up(
    sums: Sums, row: Row, question: Weighted, points: Points, gradients: dict[str, Array], baselines: dict[str, Array]
) -> None:
    """Add weight * factor * gradient of each point, on the device, in single precision at least."""
    weights = weights_of(row, question, points)
    for name, gradient in gradients.items():
        alone = len(weights) == 1 and weights[0] == 1.0 and row.precision[name].itemsize >= SINGLE
        weighted = gradient if alone else gradient * per_point(row, name, weights, np.float32)
        if question.factor == "difference":
            weighted = weighted * (row.instance[name] - baselines[name])
        total = weighted.sum(0)
        if question.factor == "instance":
            total = total * row.instance[name][0]
        sums.add("inputs", name, total)
