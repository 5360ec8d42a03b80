"""Time series: windows of time play, all channels of a window together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import InputUndecodable, InvalidBaseline, InvalidParameter
from explainery.contract.model_card import InputSpec
from workers.plugins import Groups

DEFAULT_WINDOWS = 16
"""About how many windows a series is cut into when no window is asked for."""


def decode(spec: InputSpec, encoded: Sequence[bytes], media_type: str) -> NDArray[Any]:
    """Refuse: a series has no encoded form."""
    raise InputUndecodable(f"Input {spec.name} is a time series; send numbers, not {media_type}.")


def groups(spec: InputSpec, shape: tuple[int, ...], features: Mapping[str, Any] | None) -> Groups:
    """Windows over time: `{"window": steps}`; the last one may be shorter."""
    axis = _time(spec)
    steps = shape[axis]
    if features is None:
        window = -(-steps // DEFAULT_WINDOWS)
    elif isinstance(features.get("window"), int):
        window = int(features["window"])
    else:
        raise InvalidParameter(
            f'Input {spec.name} is a series: features may be "elements", {{"window": steps}} or {{"labels": ...}}.'
        )
    windows = np.arange(steps, dtype=np.int64) // window
    along = windows.reshape([-1 if place == axis else 1 for place in range(len(shape))])
    labels = np.ascontiguousarray(np.broadcast_to(along, shape))
    starts = range(0, steps, window)
    names = tuple(f"steps {start}-{min(start + window, steps) - 1}" for start in starts)
    return Groups(labels, names, grouped=features is not None)


def baseline(spec: InputSpec, kind: str, rows: NDArray[Any], sample: NDArray[Any] | None) -> NDArray[np.float64]:
    """Each row's own mean over time, per channel ("mean")."""
    if kind != "mean":
        raise InvalidBaseline(f'Input {spec.name} has no "{kind}" baseline.')
    mean = rows.mean(axis=1 + _time(spec), keepdims=True, dtype=np.float64)
    return np.broadcast_to(mean, rows.shape).copy()


def _time(spec: InputSpec) -> int:
    """Where time is in a row's shape."""
    return 1 if spec.layout == "NCT" else 0
