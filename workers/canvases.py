"""What gradient ascent paints on: an input as shares of its range, 0 to 1, by its elements or by its spectrum.

Steps are Adam's (Kingma & Ba, ICLR 2015). The spectrum is weighted by 1/frequency, so that all frequencies move alike
(Olah, Mordvintsev & Schubert, Feature Visualization, Distill 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from workers.questions import Floats

FIRST, SECOND, EPSILON = 0.9, 0.999, 1e-8
SPREAD = 0.01
"""Of the noise that a canvas starts with, as a share of the range."""
GAIN = 0.25
"""Of the spectrum: a step of all frequencies together then moves an element about as far as a step of its own."""


class Canvas(Protocol):
    """An input being painted."""

    def shares(self) -> Floats:
        """The input as shares of its range, shaped like one row."""
        ...

    def climb(self, slope: Floats, rate: float) -> None:
        """One step up, along the slope of the objective to the shares."""
        ...

    def blur(self, sigma: float) -> None:
        """Smooth it, by a Gaussian of so many elements."""
        ...


class Adam:
    """Moments of the slopes so far, and the step they make."""

    def __init__(self, shape: Sequence[int]) -> None:
        self._mean, self._square, self._count = np.zeros(shape), np.zeros(shape), 0

    def step(self, slope: Floats, rate: float) -> Floats:
        """The step along a slope."""
        self._count += 1
        self._mean += (1 - FIRST) * (slope - self._mean)
        self._square += (1 - SECOND) * (slope**2 - self._square)
        mean, square = self._mean / (1 - FIRST**self._count), self._square / (1 - SECOND**self._count)
        return np.asarray(rate * mean / (np.sqrt(square) + EPSILON))


class Elements:
    """Painted element by element. `start`: shares to begin with; `axes`: where neighbours are."""

    def __init__(self, start: Floats, noise: Floats, axes: Sequence[int]) -> None:
        self._shares = np.clip(start + SPREAD * noise, 0, 1)
        self._sigma = np.array([1.0 if axis in axes else 0.0 for axis in range(start.ndim)])
        self._adam = Adam(start.shape)

    def shares(self) -> Floats:
        """The input as shares of its range."""
        return self._shares.copy()

    def climb(self, slope: Floats, rate: float) -> None:
        """One step up, and back into the range."""
        self._shares = np.clip(self._shares + self._adam.step(slope, rate), 0, 1)

    def blur(self, sigma: float) -> None:
        """Smooth it along the axes that have neighbours."""
        self._shares = gaussian_filter(self._shares, self._sigma * sigma, mode="nearest")


class Spectrum:
    """Painted frequency by frequency over two axes, and cut off at the ends of the range.

    What lies beyond an end is moved by slopes that lead back, and by no other: nothing is stuck there.
    """

    def __init__(self, start: Floats, noise: Floats, axes: Sequence[int]) -> None:
        self._axes = tuple(axes)
        self._start = np.moveaxis(start, self._axes, (-2, -1))
        self._size = self._start.shape[-2:]
        rows, columns = np.fft.fftfreq(self._size[0]), np.fft.rfftfreq(self._size[1])
        self._frequency = np.hypot(rows[:, None], columns[None, :])
        self._scale = GAIN * np.sqrt(np.prod(self._size)) / np.maximum(self._frequency, 1 / max(self._size))
        spectrum = np.fft.rfft2(np.moveaxis(noise, self._axes, (-2, -1)), norm="ortho")
        self._parts = SPREAD * np.stack([spectrum.real, spectrum.imag])
        self._twice = np.full(len(columns), 2.0)
        self._twice[0] = 1.0
        if self._size[1] % 2 == 0:
            self._twice[-1] = 1.0
        self._adam = Adam(self._parts.shape)

    def shares(self) -> Floats:
        """The input as shares of its range."""
        return np.moveaxis(np.clip(self._drawn(), 0, 1), (-2, -1), self._axes)

    def climb(self, slope: Floats, rate: float) -> None:
        """One step up in the frequencies' real and imaginary parts."""
        drawn, wanted = self._drawn(), np.moveaxis(slope, self._axes, (-2, -1))
        felt = np.where(((drawn < 0) & (wanted < 0)) | ((drawn > 1) & (wanted > 0)), 0, wanted)
        turned: NDArray[np.complex128] = np.fft.rfft2(felt) * self._scale * self._twice / np.prod(self._size)
        self._parts += self._adam.step(np.stack([turned.real, turned.imag]), rate)

    def blur(self, sigma: float) -> None:
        """Smooth what was painted: a Gaussian is one in the frequencies, too."""
        self._parts *= np.exp(-2 * (np.pi * sigma * self._frequency) ** 2)

    def _drawn(self) -> Floats:
        """The shares before they are cut off."""
        spectrum = (self._parts[0] + 1j * self._parts[1]) * self._scale
        return np.asarray(self._start + np.fft.irfft2(spectrum, s=self._size))
