"""One row of a text input as its tokenizer reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.model_card import InputSpec
from explainery.contract.tensors import NUMPY_NAMES

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Passage:
    """A row's tokens, special ones and padding among them.

    `ids`, `mask`, `types`: int64 [tokens], what a model may take as ids, attention mask and token types.
    `plays`: bool [tokens], False for special tokens and padding.
    `pieces`: each token as people read it. `text`, `offsets`, `words`: the string, where each token begins and ends in it in
    characters, int64 [tokens, 2], and the number of its word, -1 where it has none; None where ids were given.
    """

    ids: Ints
    mask: Ints
    types: Ints
    plays: NDArray[np.bool_]
    pieces: tuple[str, ...]
    text: str | None = None
    offsets: Ints | None = None
    words: Ints | None = None
    notes: tuple[str, ...] = ()

    def array(self, spec: InputSpec) -> NDArray[Any]:
        """What an input of the row holds, in its datatype: the text itself, or what its tokenizer fills."""
        held = {"text": self.ids, "text_mask": self.mask, "text_types": self.types}[spec.modality]
        return held.astype(NUMPY_NAMES[spec.datatype])
