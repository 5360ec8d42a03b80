"""Rows to call a model with when its layers are looked for: the card's sample, or seeded random ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.model_card import FLOATS, InputSpec, ModelCard
from explainery.contract.tensors import NUMPY_NAMES

Arrays = dict[str, NDArray[Any]]
GUESSES = (8, 32, 64, 224)
"""Lengths that are tried for axes that the card leaves open, where it has no sample."""


def rows_of(card: ModelCard, sample: Mapping[str, NDArray[Any]], count: int) -> Iterator[Arrays]:
    """`count` rows that differ, by input; where axes are open and there is no sample, in one length after another."""
    if sample:
        yield {spec.name: _from(sample[spec.name], spec, count) for spec in card.inputs}
        return
    is_open = any(-1 in spec.row_shape for spec in card.inputs)
    for length in GUESSES if is_open else GUESSES[:1]:
        rng = np.random.Generator(np.random.Philox(0))
        yield {spec.name: _random(spec, length, count, rng) for spec in card.inputs}


def _from(sample: NDArray[Any], spec: InputSpec, count: int) -> NDArray[Any]:
    rows: NDArray[Any] = np.resize(sample, (count, *sample.shape[1:])).astype(NUMPY_NAMES[spec.datatype])
    if len(sample) >= count or spec.datatype not in FLOATS:
        return rows
    scales = 1 + 0.25 * np.arange(count).reshape(-1, *([1] * (rows.ndim - 1)))
    return np.asarray(rows * scales, dtype=rows.dtype)


def _random(spec: InputSpec, length: int, count: int, rng: np.random.Generator) -> NDArray[Any]:
    shape = (count, *(length if size == -1 else size for size in spec.row_shape))
    if spec.filled:  # all of it is attended to, and it is one text
        return np.full(shape, spec.modality == "text_mask").astype(NUMPY_NAMES[spec.datatype])
    if spec.datatype not in FLOATS:
        return rng.integers(0, 2, size=shape).astype(NUMPY_NAMES[spec.datatype])
    return rng.normal(size=shape).astype(NUMPY_NAMES[spec.datatype])
