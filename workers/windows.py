"""Windows that slide over an array, and the atoms that their borders cut it into."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray


def cut(shape: Sequence[int], window: Sequence[int], stride: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Cut an array of `shape` into atoms that every window covers wholly or not at all.

    Returns the atom of each element, int64 [*shape], and which atoms each window covers, bool [windows, atoms]. Windows start
    at multiples of the stride and the last one is cut off at the edge, as in Captum. Strides are at most the window's size, so
    that nothing is left uncovered.
    """
    axes = [_cut_axis(*sizes) for sizes in zip(shape, window, stride, strict=True)]
    counts = [covers.shape[1] for _, covers in axes]
    labels = np.ravel_multi_index(np.ix_(*(atoms for atoms, _ in axes)), counts)
    return labels.astype(np.int64), reduce(np.kron, (covers for _, covers in axes))


def windows_and_atoms(shape: Sequence[int], window: Sequence[int], stride: Sequence[int]) -> tuple[int, int]:
    """How many windows and atoms `cut` makes, without making their table."""
    axes = [_cut_axis(*sizes)[1].shape for sizes in zip(shape, window, stride, strict=True)]
    return math.prod(windows for windows, _ in axes), math.prod(atoms for _, atoms in axes)


def _cut_axis(length: int, window: int, stride: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Atom of each place, [length], and which atoms each window covers, [windows, atoms]."""
    starts = stride * np.arange(math.ceil((length - window) / stride) + 1)
    stops = np.minimum(starts + window, length)
    borders = np.unique(np.concatenate([starts, stops]))
    atoms = np.searchsorted(borders, np.arange(length), side="right") - 1
    first = borders[:-1]
    return atoms, (starts[:, None] <= first) & (first < stops[:, None])
