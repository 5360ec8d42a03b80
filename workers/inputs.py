"""From a job's stored arrays to what is explained: the rows, and the baselines that stand for absent features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import InvalidBaseline
from explainery.contract.job import JobSpec
from explainery.contract.model_card import FLOATS, InputSpec, ModelCard
from explainery.contract.tensors import NUMPY_NAMES, limits
from workers.centroids import centroids
from workers.loaded import Loaded
from workers.plugins import ModalityPlugin
from workers.questions import Floats
from workers.text.reading import Passages, hidden

Stack = NDArray[Any] | list[NDArray[Any]]
"""Rows of one shape as one array; a list of them where each has its own."""
Rows = dict[str, Stack]
Modalities = Mapping[str, ModalityPlugin]
NO_TEXTS: Passages = {}


def decode_rows(
    job: JobSpec, loaded: Loaded, arrays: Mapping[str, NDArray[Any]], modalities: Modalities, texts: Passages = NO_TEXTS
) -> Rows:
    """The job's rows by input name, [rows, *row shape], in the card's datatypes. Raises InputUndecodable.

    Texts, and what their tokenizers fill, are a list: each row has its own length.
    """
    made: Rows = {}
    for spec in loaded.card.inputs:
        if spec.modality == "text" or spec.filled:
            made[spec.name] = [passage.array(spec) for passage in texts[loaded.card.text_of(spec).name]]
        else:
            made[spec.name] = _decoded(job, spec, arrays, modalities)
    return made


def _decoded(job: JobSpec, spec: InputSpec, arrays: Mapping[str, NDArray[Any]], modalities: Modalities) -> NDArray[Any]:
    media_type = job.encodings.get(spec.name)
    if media_type is None:
        return arrays[f"input/{spec.name}"].astype(NUMPY_NAMES[spec.datatype], copy=False)
    encoded = [arrays[f"encoded/{spec.name}/{row}"].tobytes() for row in range(job.rows)]
    return modalities[spec.modality].decode(spec, encoded, media_type)


def backgrounds_of(
    job: JobSpec,
    loaded: Loaded,
    rows: Rows,
    arrays: Mapping[str, NDArray[Any]],
    modalities: Modalities,
    texts: Passages = NO_TEXTS,
) -> Rows:
    """Baseline rows by input name, [rows or 1, backgrounds, *row shape]: one per row or shared by all.

    Raises InvalidBaseline when they do not fit the rows or the card's datatypes.
    """
    made: Rows = {}
    for spec in loaded.card.sent:
        if spec.modality == "text":
            own = loaded.baseline.get(spec.name)
            ids = hidden(job, spec, loaded.readers[spec.name], texts[spec.name], arrays, own)
            made[spec.name] = [each.astype(NUMPY_NAMES[spec.datatype]) for each in ids]
        else:
            made[spec.name] = _held(spec, _background(job, spec, loaded, np.asarray(rows[spec.name]), arrays, modalities))
    for spec in loaded.card.inputs:
        if spec.filled:  # what a tokenizer fills is no part of the question: it stays as it is
            around = made[loaded.card.text_of(spec).name]
            pairs = zip(rows[spec.name], around, strict=True)
            made[spec.name] = [np.broadcast_to(row, (len(baselines), *row.shape)) for row, baselines in pairs]
    return made


def summarised(job: JobSpec, card: ModelCard, backgrounds: Rows) -> tuple[Rows, Floats | None]:
    """The background's centroids in its place, and what each weighs, where the job asks for that.

    Whole numbers are rounded. The centroids are of all inputs together.
    """
    count = job.baseline.summarise
    if count is None:
        return backgrounds, None
    parts = {spec.name: np.asarray(backgrounds[spec.name])[0] for spec in card.inputs}
    rows = np.concatenate([part.reshape(len(part), -1).astype(np.float64) for part in parts.values()], axis=1)
    found, shares = centroids(rows, count, job.seed)
    ends = np.cumsum([part[0].size for part in parts.values()])[:-1]
    cut = zip(card.inputs, parts.values(), np.split(found, ends, axis=1), strict=True)
    return {spec.name: _held(spec, flat.reshape(-1, *part.shape[1:]))[None] for spec, part, flat in cut}, shares


def _held(spec: InputSpec, baseline: NDArray[Any]) -> NDArray[Any]:
    """A baseline in the input's datatype, rounded where that holds whole numbers."""
    low, high = limits(spec.datatype)
    if not (np.isfinite(baseline).all() and baseline.min() >= low and baseline.max() <= high):
        raise InvalidBaseline(f"The baseline of input {spec.name} must hold numbers that {spec.datatype} can hold.")
    exact = baseline if spec.datatype in FLOATS or baseline.dtype.kind in "biu" else np.rint(baseline)
    return exact.astype(NUMPY_NAMES[spec.datatype])


def _background(
    job: JobSpec,
    spec: InputSpec,
    loaded: Loaded,
    rows: NDArray[Any],
    arrays: Mapping[str, NDArray[Any]],
    modalities: Modalities,
) -> NDArray[Any]:
    kind, shape = job.baseline.kind, rows.shape[1:]
    if kind == "background":
        return _fitting(spec, arrays[f"background/{spec.name}"], shape)[None]
    if kind == "tensor":
        given = _fitting(spec, arrays[f"baseline/{spec.name}"], shape)
        if len(given) not in (1, len(rows)):
            raise InvalidBaseline(f"The baseline of input {spec.name} must be one row, or one for each of the job's rows.")
        return given[:, None]
    if kind in ("mean", "blur"):
        made = modalities[spec.modality].baseline(spec, kind, rows, loaded.sample.get(spec.name))
        return _fitting(spec, made, shape)[:, None]
    value: Any = {"zeros": 0.0, "value": job.baseline.value, "card": loaded.baseline.get(spec.name, 0.0)}[kind]
    try:
        return np.broadcast_to(np.asarray(value), shape)[None, None]
    except ValueError:
        raise _unfit(spec, shape) from None


def _fitting(spec: InputSpec, baseline: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if not len(baseline) or baseline.shape[1:] != shape:
        raise _unfit(spec, shape)
    return baseline


def _unfit(spec: InputSpec, shape: tuple[int, ...]) -> InvalidBaseline:
    return InvalidBaseline(f"The baseline of input {spec.name} must be shaped like the job's rows, {list(shape)}.")
