"""Figures of a layer's output, one vector per point: what is where in it. They are made on the device and read here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explainery.contract.layers import LayerSpec
from workers.questions import Floats

SCALARS = ("count", "sum", "squares", "zeros", "saturated", "not_finite", "slope")
"""Of a layer at one point. `slope`: the sum of the score's squared gradients; NO_SLOPE where the score is not made of it."""
NO_SLOPE = -1.0
ZERO = 1e-6
"""What is nearer to zero counts as zero: smooth activations never reach it."""
SATURATES: dict[str, tuple[float, float]] = {
    "Sigmoid": (0.0, 1.0), "Hardsigmoid": (0.0, 1.0), "HardSigmoid": (0.0, 1.0), "Tanh": (-1.0, 1.0), "Hardtanh": (-1.0, 1.0),
    "Softsign": (-1.0, 1.0),
}  # fmt: skip
"""Types of layers that level off, and between which values they lie."""
NEAR = 0.0127
"""How near to an end, as a share of the range, is saturated: there the slope of sigmoid and tanh is 5 % of its largest."""


def unit_axis(layer: LayerSpec) -> int:
    """Which axis of a row of a layer's output numbers its units: channels, or what comes last."""
    if layer.grid is not None:
        return layer.channel_axis
    first = "Conv" in layer.type or "1d" in layer.type or "2d" in layer.type or "3d" in layer.type
    return 0 if first and len(layer.shape) > 1 else len(layer.shape) - 1


def units_of(layer: LayerSpec) -> int:
    """How many units a layer has."""
    return layer.shape[unit_axis(layer)] if layer.shape else 1


def saturation(layer: LayerSpec) -> tuple[float, float] | None:
    """Below which value and above which a layer's output is saturated; None for a type that does not level off."""
    if layer.type not in SATURATES:
        return None
    low, high = SATURATES[layer.type]
    margin = NEAR * (high - low)
    return low + margin, high - margin


def length_of(layer: LayerSpec) -> int:
    """How many numbers a layer has in the vector."""
    return len(SCALARS) + 2 * units_of(layer)


@dataclass(frozen=True, eq=False)
class LayerFigures:
    """A layer's output over all rows. `highest`, `lowest`: of each unit; NaN where another number of units was seen.

    `slope`: the root mean square over the rows of the norm of the score's gradient; None where the score is not made of it.
    """

    layer: LayerSpec
    count: float
    mean: float
    variance: float
    zeros: float
    saturated: float | None
    not_finite: float
    slope: float | None
    highest: Floats
    lowest: Floats

    @property
    def known(self) -> bool:
        """Whether the units were seen as they were expected."""
        return bool(np.isfinite(self.highest).all())

    @property
    def constant(self) -> bool:
        """Whether no unit ever changed."""
        return bool((self.highest == self.lowest).all())

    @property
    def dead(self) -> float:
        """The share of units that were zero on every row and place."""
        return float(((np.abs(self.highest) <= ZERO) & (np.abs(self.lowest) <= ZERO)).mean())


def read_figures(layers: Sequence[LayerSpec], points: Floats) -> list[LayerFigures]:
    """Figures over all rows, from vectors [rows, figures]."""
    found, start = [], 0
    for layer in layers:
        part = points[:, start : start + length_of(layer)]
        start += length_of(layer)
        found.append(_read(layer, part))
    return found


def _read(layer: LayerSpec, part: Floats) -> LayerFigures:
    scalars = dict(zip(SCALARS, part[:, : len(SCALARS)].T, strict=True))
    units = part[:, len(SCALARS) :].reshape(len(part), 2, -1)
    count = max(float((scalars["count"] - scalars["not_finite"]).sum()), 1.0)
    mean = float(scalars["sum"].sum()) / count
    slopes = scalars["slope"]
    return LayerFigures(
        layer,
        float(scalars["count"].sum()),
        mean,
        max(float(scalars["squares"].sum()) / count - mean**2, 0.0),
        float(scalars["zeros"].sum()) / count,
        None if saturation(layer) is None else float(scalars["saturated"].sum()) / count,
        float(scalars["not_finite"].sum()),
        None if (slopes == NO_SLOPE).any() else math.sqrt(float(slopes.mean())),
        units[:, 0].max(axis=0),
        units[:, 1].min(axis=0),
    )
