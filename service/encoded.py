"""Encoded inputs, image files in base64: checked by their frame, never decoded here."""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import TYPE_CHECKING, Any

from explainery.contract.errors import InvalidInput
from explainery.contract.model_card import InputSpec
from service.faults import fault

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIGNATURES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
"""Media types that can be sent, and how their files begin."""


def is_encoded(value: object) -> bool:
    """Say whether a row's value is meant as an encoded file."""
    return isinstance(value, dict) and "b64" in value


BEGINNINGS = {"image/png": "iVBORw0KGg", "image/jpeg": "/9j/"}
"""How such files begin in base64."""


def with_media_type(row: Any) -> Any:
    """The same row, encoded files in it with the media type that they begin like: other protocols name none."""
    if isinstance(row, dict) and set(row) != {"b64"}:
        return {name: _typed(part) for name, part in row.items()}
    return _typed(row)


def _typed(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str):
        kinds = [kind for kind, begins in BEGINNINGS.items() if value["b64"].startswith(begins)]
        return value | {"media_type": kinds[0] if kinds else ""}
    return value


def read_files(spec: InputSpec, column: list[Any], loc: str) -> tuple[dict[str, NDArray[Any]], str]:
    """The files of one input, a row each, as `encoded/<name>/<row>`, and their media type. Raises InvalidInput."""
    import numpy as np

    if spec.modality != "image":
        raise fault(InvalidInput, loc, f"sends files, but input {spec.name} is not an image; send numbers")
    if not all(is_encoded(value) for value in column):
        raise fault(InvalidInput, loc, f"must send every row of input {spec.name} as a file, or none")
    types = {_media_type(value, f"{loc}.{row}") for row, value in enumerate(column)}
    if len(types) > 1:
        raise fault(InvalidInput, loc, f"must send every row of input {spec.name} with the same media_type")
    media_type = types.pop()
    files = {
        f"encoded/{spec.name}/{row}": np.frombuffer(_content(value, media_type, f"{loc}.{row}"), dtype=np.uint8)
        for row, value in enumerate(column)
    }
    return files, media_type


def _media_type(value: dict[str, Any], loc: str) -> str:
    if set(value) != {"b64", "media_type"} or value["media_type"] not in list(SIGNATURES):
        raise fault(InvalidInput, loc, f'must be {{"b64": ..., "media_type": ...}} with media_type {" or ".join(SIGNATURES)}')
    return str(value["media_type"])


def _content(value: dict[str, Any], media_type: str, loc: str) -> bytes:
    try:
        content = b64decode(value["b64"], validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise fault(InvalidInput, f"{loc}.b64", "must be a string in base64 (RFC 4648, padded)") from None
    if not content.startswith(SIGNATURES[media_type]):
        raise fault(InvalidInput, f"{loc}.b64", f"does not hold a file of type {media_type}")
    return content
