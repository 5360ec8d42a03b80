"""Plain tensors: every element is a player of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import InputUndecodable, InvalidBaseline, InvalidParameter
from explainery.contract.model_card import InputSpec
from workers.plugins import Groups


def decode(spec: InputSpec, encoded: Sequence[bytes], media_type: str) -> NDArray[Any]:
    """Refuse: a tensor has no encoded form."""
    raise InputUndecodable(f"Input {spec.name} is a plain tensor; send numbers, not {media_type}.")


def groups(spec: InputSpec, shape: tuple[int, ...], features: Mapping[str, Any] | None) -> Groups:
    """Every element a group."""
    if features is not None:
        raise InvalidParameter(f'Input {spec.name} is a plain tensor: features may be "elements" or {{"labels": ...}}.')
    return Groups(np.arange(math.prod(shape), dtype=np.int64).reshape(shape))


def baseline(spec: InputSpec, kind: str, rows: NDArray[Any], sample: NDArray[Any] | None) -> NDArray[np.float64]:
    """The mean over the card's sample rows."""
    if kind != "mean" or sample is None:
        raise InvalidBaseline(f'Input {spec.name} has no "{kind}" baseline: the card names no sample rows to average.')
    return np.asarray(sample.mean(axis=0, keepdims=True, dtype=np.float64))
