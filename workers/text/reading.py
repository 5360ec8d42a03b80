"""From a job's stored arrays to the passages of its texts, and to what stands for their absent tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import InputUndecodable, InvalidBaseline
from explainery.contract.job import JobSpec
from explainery.contract.model_card import InputSpec, ModelCard
from workers.text.passage import Passage
from workers.text.reader import Reader

MEDIA_TYPE = "text/plain"
Passages = Mapping[str, Sequence[Passage]]
"""Text input -> the passages of its rows."""


def passages_of(
    job: JobSpec, card: ModelCard, readers: Mapping[str, Reader], arrays: Mapping[str, NDArray[Any]]
) -> dict[str, list[Passage]]:
    """Read the texts of a job's rows. Raises InputUndecodable."""
    texts = [spec for spec in card.inputs if spec.modality == "text"]
    return {spec.name: [_read(job, spec, readers[spec.name], arrays, row) for row in range(job.rows)] for spec in texts}


def _read(job: JobSpec, spec: InputSpec, reader: Reader, arrays: Mapping[str, NDArray[Any]], row: int) -> Passage:
    media_type = job.encodings.get(spec.name)
    if media_type is None:
        return reader.ids(arrays[f"input/{spec.name}"][row])
    if media_type != MEDIA_TYPE:
        raise InputUndecodable(f"Input {spec.name} is a text; send strings, or numbers (token ids), not {media_type}.")
    try:
        return reader.text(arrays[f"encoded/{spec.name}/{row}"].tobytes().decode("utf-8"))
    except UnicodeDecodeError:
        raise InputUndecodable(f"A text for input {spec.name} is not UTF-8.") from None


def hidden(
    job: JobSpec,
    spec: InputSpec,
    reader: Reader,
    passages: Sequence[Passage],
    arrays: Mapping[str, NDArray[Any]],
    own: NDArray[Any] | None,
) -> list[NDArray[np.int64]]:
    """What stands for a text's absent tokens: per row int64 [backgrounds, tokens]. Tokens that never play stay as they are.

    `own`: what the card names. "zeros" is the mask token, because an id of 0 says something. Raises InvalidBaseline.
    """
    kind = job.baseline.kind
    if kind in ("mean", "blur"):
        raise InvalidBaseline(f'Input {spec.name} is a text and has no "{kind}" baseline; leave it out for the mask token.')
    given: Any = reader.absent
    if kind == "card" and own is not None:
        given = own
    if kind == "value":
        given = job.baseline.value
    if kind in ("tensor", "background"):
        given = arrays[f"{'baseline' if kind == 'tensor' else kind}/{spec.name}"]
    ids = np.asarray(given)
    reader.check_known(ids, InvalidBaseline, f"The baseline of input {spec.name}")
    shared = kind != "tensor" or len(ids) == 1
    parts = [ids if shared else ids[row : row + 1] for row in range(len(passages))]
    return [np.where(each.plays, _ids(spec, part, each), each.ids) for part, each in zip(parts, passages, strict=True)]


def _ids(spec: InputSpec, given: NDArray[Any], passage: Passage) -> NDArray[np.int64]:
    """Ids of one row's baselines, [backgrounds, tokens]."""
    tokens = len(passage.ids)
    try:
        rows = len(given) if given.ndim == 2 else 1
        return np.broadcast_to(given, (rows, tokens)).astype(np.int64)
    except ValueError:
        raise InvalidBaseline(
            f"The baseline of input {spec.name} must have as many ids as the row has tokens, special ones too: here {tokens}."
        ) from None
