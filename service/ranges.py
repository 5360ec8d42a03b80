"""One range of a file's bytes (RFC 9110, 14): `Range: bytes=0-499`, `500-` or `-500`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from explainery.contract.errors import RangeNotSatisfiable

_ONE = re.compile(r"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Span:
    """Bytes from `first` up to and with `last`."""

    first: int
    last: int

    @property
    def size(self) -> int:
        """How many they are."""
        return self.last - self.first + 1


def read_range(header: str | None, size: int, *, of_this: bool = True) -> Span | None:
    """What is asked for of `size` bytes; None for all of them.

    What is no range of bytes, or several at once, asks for all: the RFC lets us take no notice of it. `of_this`: whether what
    the client has is of the same file (`If-Range`). Raises RangeNotSatisfiable.
    """
    match = _ONE.fullmatch(header or "")
    if match is None or not of_this or match[1] == match[2] == "":
        return None
    if match[1] == "":
        first, last = max(0, size - int(match[2])), size - 1
    else:
        first, last = int(match[1]), min(int(match[2] or size), size - 1)
        if match[2] and int(match[2]) < first:
            return None
    if first >= size:
        raise RangeNotSatisfiable(f"The file has {size} bytes; ask for some of these.", size)
    return Span(first, last)
