"""How Resize places its output's points between the input's, one axis at a time, as a matrix of weights [out, in]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.runtimes.onnx.limits import TooLarge, sized

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scheme:
    """A Resize node's attributes."""

    mode: str = "nearest"
    coordinates: str = "half_pixel"
    rounding: str = "round_prefer_floor"
    cubic: float = -0.75
    exclude_outside: bool = False
    extrapolation: float = 0.0
    antialias: bool = False


@dataclass(frozen=True)
class Axis:
    """One axis: sizes, the scale, and the crop's ends of tf_crop_and_resize."""

    size: int
    wanted: int
    scale: float
    start: float = 0.0
    end: float = 1.0


def coordinates(axis: Axis, kind: str) -> Floats:
    """Where each output point lies on the input's axis. Raises TooLarge for sizes below one, ValueError for odd scales.

    In single precision, as ONNX Runtime computes: nearest neighbours turn on the last bit.
    """
    places = np.arange(axis.wanted, dtype=np.float32)
    scale, one, half = np.float32(axis.scale), np.float32(1), np.float32(0.5)
    if kind == "asymmetric":
        found = places / scale
    elif kind == "align_corners":
        if abs(axis.size * axis.scale - axis.wanted) > 1e-3:
            raise ValueError("align_corners with a scale that gives no whole size has no agreed meaning")
        found = places * np.float32(axis.size - 1) / np.float32(max(axis.wanted - 1, 1))
    elif kind == "tf_crop_and_resize":
        last = np.float32(axis.size - 1)
        if axis.wanted > 1:
            found = np.float32(axis.start) * last + places * np.float32(axis.end - axis.start) * last / np.float32(
                axis.wanted - 1
            )
        else:
            found = np.full(1, 0.5 * (axis.start + axis.end) * last, dtype=np.float32)
    elif kind == "half_pixel_symmetric":
        fit = np.float32(axis.wanted) / (scale * np.float32(axis.size))
        found = np.float32(axis.size) / 2 * (one - fit) + (places + half) / scale - half
    elif kind == "pytorch_half_pixel" and axis.wanted == 1:
        found = np.zeros(1, dtype=np.float32)
    else:
        found = (places + half) / scale - half
    return np.asarray(found, dtype=np.float64)


def nearest(axis: Axis, scheme: Scheme) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The input's place of each output point, and which points lie outside (tf_crop_and_resize)."""
    x = coordinates(axis, scheme.coordinates)
    rounded = {
        "round_prefer_floor": np.ceil(x - 0.5),
        "round_prefer_ceil": np.floor(x + 0.5),
        "floor": np.floor(x),
        "ceil": np.ceil(x),
    }[scheme.rounding]
    return np.clip(rounded, 0, axis.size - 1).astype(np.int64), _outside(x, axis, scheme)


def weights(axis: Axis, scheme: Scheme) -> tuple[Floats, NDArray[np.bool_]]:
    """The matrix [out, in] of linear or cubic interpolation, and which points lie outside (tf_crop_and_resize)."""
    sized([axis.wanted, axis.size], "Resize")
    if axis.size < 1:
        raise TooLarge("Resize of an empty axis")
    x = coordinates(axis, scheme.coordinates)
    floors = np.floor(x)
    stretch = min(axis.scale, 1.0) if scheme.antialias else 1.0
    reach = int(np.ceil((2 if scheme.mode == "cubic" else 1) / stretch)) + 1
    offsets = np.arange(-reach, reach + 1)
    places = floors[:, None] + offsets
    distance = np.abs(places - x[:, None]) * stretch
    found = _cubic(distance, scheme.cubic) if scheme.mode == "cubic" else np.clip(1 - distance, 0, 1)
    if scheme.antialias:
        found = found / found.sum(1, keepdims=True)
    if scheme.exclude_outside:
        found = np.where((places >= 0) & (places < axis.size), found, 0)
        found = found / found.sum(1, keepdims=True)
    matrix = np.zeros((axis.wanted, axis.size))
    rows = np.repeat(np.arange(axis.wanted), len(offsets))
    np.add.at(matrix, (rows, np.clip(places, 0, axis.size - 1).astype(np.int64).reshape(-1)), found.reshape(-1))
    return matrix, _outside(x, axis, scheme)


def _outside(x: Floats, axis: Axis, scheme: Scheme) -> NDArray[np.bool_]:
    if scheme.coordinates != "tf_crop_and_resize":
        return np.zeros(len(x), dtype=bool)
    return np.asarray((x < 0) | (x > axis.size - 1))


def _cubic(distance: Floats, a: float) -> Floats:
    """Keys' cubic convolution kernel."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
