"""Texts: strings that a worker's tokenizer reads; here they are only bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from explainery.contract.errors import InvalidInput
from explainery.contract.model_card import InputSpec
from service.faults import fault

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEDIA_TYPE = "text/plain"
MOST_CHARACTERS = 1_000_000
"""Of one text: a long book."""


def is_text(spec: InputSpec, value: object) -> bool:
    """Say whether a row's value is a text for an input that takes texts."""
    return spec.modality == "text" and isinstance(value, str)


def read_texts(spec: InputSpec, column: list[Any], loc: str) -> dict[str, NDArray[Any]]:
    """The texts of one input, a row each, as `encoded/<name>/<row>` in UTF-8. Raises InvalidInput."""
    import numpy as np

    if not all(is_text(spec, value) for value in column):
        raise fault(InvalidInput, loc, f"must send every row of input {spec.name} as a string, or none")
    return {
        f"encoded/{spec.name}/{row}": np.frombuffer(_content(spec, value, f"{loc}.{row}"), dtype=np.uint8)
        for row, value in enumerate(column)
    }


def _content(spec: InputSpec, text: str, loc: str) -> bytes:
    if not text.strip():
        raise fault(InvalidInput, loc, f"is an empty text, which has nothing to explain; send words for input {spec.name}")
    if len(text) > MOST_CHARACTERS:
        raise fault(InvalidInput, loc, f"has more than {MOST_CHARACTERS} characters; split the text")
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise fault(InvalidInput, loc, "holds half of a surrogate pair, which is no text; send valid Unicode") from None
