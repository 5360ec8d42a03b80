"""The arrays that a card names: its sample rows and its baselines, checked against what it says of its inputs."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import ModelUnloadable
from explainery.contract.model_card import ModelCard

Arrays = dict[str, NDArray[Any]]


def sample_of(card: ModelCard, files: Mapping[str, bytes]) -> Arrays:
    """The sample rows by input name, [rows, *row shape]; empty when the card names none. Raises ModelUnloadable."""
    if card.sample is None:
        return {}
    with np.load(io.BytesIO(files[card.sample.file]), allow_pickle=False) as archive:
        missing = [spec.name for spec in card.inputs if spec.name not in archive.files]
        if missing:
            raise ModelUnloadable(f"The sample file has no array for the input {', '.join(missing)}; it needs one per input.")
        arrays = {spec.name: archive[spec.name] for spec in card.inputs}
    for spec in card.inputs:
        array = arrays[spec.name]
        if array.ndim != len(spec.shape) or not len(array) or not _spreads(array.shape[1:], spec.row_shape, exact=True):
            raise ModelUnloadable(
                f"The sample of input {spec.name} has shape {list(array.shape)}, its card needs rows of {list(spec.row_shape)}."
            )
        _check_numbers(array, f"The sample of input {spec.name}")
    if len({len(array) for array in arrays.values()}) > 1:
        raise ModelUnloadable("The sample file has another number of rows for each input; it needs the same rows of all.")
    return arrays


def baselines_of(card: ModelCard, files: Mapping[str, bytes]) -> Arrays:
    """The card's own baselines by input name, each as it can be spread over one row. Raises ModelUnloadable."""
    baselines: Arrays = {}
    for name, value in card.baseline.items():
        array = np.asarray(value if isinstance(value, float) else np.load(io.BytesIO(files[value]), allow_pickle=False))
        row = card.input(name).row_shape
        if not _spreads(array.shape, row):
            raise ModelUnloadable(f"The baseline of input {name} has shape {list(array.shape)}; one row has {list(row)}.")
        _check_numbers(array, f"The baseline of input {name}")
        baselines[name] = array
    return baselines


def _spreads(shape: tuple[int, ...], row: tuple[int, ...], *, exact: bool = False) -> bool:
    """Whether an array can be spread over one row (-1: any length), or is shaped like one when `exact`."""
    if len(shape) > len(row) or (exact and len(shape) != len(row)):
        return False
    pairs = zip(reversed(shape), reversed(row), strict=False)
    return all(length == size or size == -1 or (length == 1 and not exact) for length, size in pairs)


def _check_numbers(array: NDArray[Any], what: str) -> None:
    if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        raise ModelUnloadable(f"{what} must hold finite numbers only.")
