"""Texts: what plays is a token, a word or a sentence. The strings themselves are read, and cut, in `workers/text/`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import InputUndecodable, InvalidBaseline, InvalidParameter
from explainery.contract.model_card import InputSpec
from workers.plugins import Groups


def decode(spec: InputSpec, encoded: Sequence[bytes], media_type: str) -> NDArray[Any]:
    """Refuse: texts are read by the tokenizer that the card names (`workers/text/reader.py`)."""
    raise InputUndecodable(f"Input {spec.name} is a text; send strings, or send numbers (token ids), not {media_type}.")


def groups(spec: InputSpec, shape: tuple[int, ...], features: Mapping[str, Any] | None) -> Groups:
    """Every unit of a text that was cut a player. `shape`: [units]."""
    if features is not None:
        raise InvalidParameter(
            f'Input {spec.name} is a text: features may be "tokens", "words", "sentences" or {{"labels": ...}}.'
        )
    return Groups(np.arange(shape[0], dtype=np.int64), grouped=True)


def baseline(spec: InputSpec, kind: str, rows: NDArray[Any], sample: NDArray[Any] | None) -> NDArray[np.float64]:
    """Refuse: ids have no mean."""
    raise InvalidBaseline(f'Input {spec.name} is a text and has no "{kind}" baseline; leave it out for the mask token.')
