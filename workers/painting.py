"""All inputs of a model being painted together: from shares to inputs and back, and what keeps pictures smooth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from explainery.contract.errors import InvalidInput, MethodUnavailable
from workers.canvases import Canvas, Elements, Spectrum
from workers.draws import gaussian, generator
from workers.game import InputView
from workers.questions import Floats
from workers.whole import Bounds, JobView

PICTURE_AXES = {"NCHW": (1, 2), "NHWC": (0, 1), "NHW": (0, 1)}
TIME_AXES = {"NT": (0,), "NTC": (0,), "NCT": (1,)}
NAMES = {"H": "row", "W": "column", "C": "channel", "T": "time"}


@dataclass(frozen=True)
class Penalties:
    """What is taken off the score, in shares of the range.

    `total_variation` times the mean squared difference of neighbours, `l2` times the mean squared distance from the mean of the
    job's rows.
    """

    total_variation: float
    l2: float


class Painting:
    """One attempt. `number` tells attempts of a job apart."""

    def __init__(self, view: JobView, parameterisation: str, number: int) -> None:
        self._views, self._bounds, self._seed, self._number = view.inputs, view.bounds, view.seed, number
        if fixed := [each.name for each in view.inputs if each.name not in view.bounds]:
            raise MethodUnavailable(f"Input {fixed[0]} holds whole numbers, which cannot be painted in small steps.")
        if not any((bounds.highest > bounds.lowest).any() for bounds in view.bounds.values()):
            raise InvalidInput(
                "All rows of the job hold the same number, so there is no range to paint in: send rows that differ."
            )
        self._canvases = {each.name: self._canvas(each, parameterisation) for each in view.inputs}

    def _canvas(self, view: InputView, parameterisation: str) -> Canvas:
        start = shares_of(self._bounds[view.name].mean, self._bounds[view.name])
        noise = gaussian(self._seed, f"ascent/{view.name}", self._number, view.shape)
        kind = Spectrum if is_spectral(view, parameterisation) else Elements
        return kind(start, noise, axes_of(view))

    def shares(self) -> dict[str, Floats]:
        """What is painted, by input."""
        return {name: canvas.shares() for name, canvas in self._canvases.items()}

    def shifts(self, step: int, most: int) -> dict[str, tuple[int, ...]]:
        """How far each picture is moved at a step, drawn anew each time; other inputs stay."""
        rng = generator(self._seed, f"jitter/{self._number}/{step}")
        return {
            view.name: tuple(int(shift) for shift in rng.integers(-most, most + 1, size=2)) if view.modality == "image" else ()
            for view in self._views
        }

    def climb(self, slopes: Mapping[str, Floats], shifts: Mapping[str, tuple[int, ...]], pull: Penalties, rate: float) -> None:
        """One step up. `slopes`: of the score to the inputs, as they were moved by `shifts`."""
        for view in self._views:
            canvas, bounds = self._canvases[view.name], self._bounds[view.name]
            back = tuple(-shift for shift in shifts[view.name])
            slope = moved(slopes[view.name], back, view) * (bounds.highest - bounds.lowest)
            canvas.climb(slope - _pull(canvas.shares(), view, bounds, pull), rate)

    def blur(self, sigma: float) -> None:
        """Smooth everything that has neighbours."""
        for view in self._views:
            if axes_of(view):
                self._canvases[view.name].blur(sigma)


def is_spectral(view: InputView, parameterisation: str) -> bool:
    """Whether an input is painted by its spectrum: pictures only."""
    return parameterisation == "fourier" and view.modality == "image"


def axes_of(view: InputView) -> tuple[int, ...]:
    """The axes of a row along which neighbours lie."""
    if view.modality == "image":
        return PICTURE_AXES[str(view.layout)]
    return TIME_AXES[view.layout or "NTC"] if view.modality == "series" else ()


def axis_names(view: InputView) -> tuple[str, ...]:
    """What each axis of a row is."""
    if view.modality == "series":
        return tuple(NAMES[letter] for letter in (view.layout or "NTC"[: len(view.shape) + 1])[1:])
    if view.modality == "image":
        return tuple(NAMES[letter] for letter in str(view.layout)[1:])
    return ("feature",) if len(view.shape) == 1 else tuple(f"axis_{number}" for number in range(len(view.shape)))


def moved(array: Floats, shifts: tuple[int, ...], view: InputView) -> Floats:
    """The array rolled along the picture's axes."""
    return np.roll(array, shifts, axes_of(view)) if shifts else array


def shares_of(values: Floats, bounds: Bounds) -> Floats:
    """Values as shares of the range; the middle where there is no range."""
    span = bounds.highest - bounds.lowest
    return np.clip(np.where(span > 0, (values - bounds.lowest) / np.where(span > 0, span, 1), 0.5), 0, 1)


def values_of(shares: Mapping[str, Floats], bounds: Mapping[str, Bounds]) -> dict[str, Floats]:
    """Inputs, within their ranges."""
    found: dict[str, Any] = {}
    for name, share in shares.items():
        low, high = bounds[name].lowest, bounds[name].highest
        found[name] = np.clip(low + (high - low) * share, low, high)
    return found


def _pull(shares: Floats, view: InputView, bounds: Bounds, pull: Penalties) -> Floats:
    """The penalties' slope."""
    slope = np.zeros_like(shares)
    if pull.l2:
        slope += pull.l2 * 2 * (shares - shares_of(bounds.mean, bounds)) / shares.size
    for axis in axes_of(view) if pull.total_variation else ():
        steps = np.diff(shares, axis=axis)
        if steps.size:
            edge = np.zeros_like(np.take(steps, [0], axis))
            slope += pull.total_variation * 2 * np.diff(-np.concatenate([edge, steps, edge], axis), axis=axis) / steps.size
    return slope
