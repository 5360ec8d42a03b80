"""The lines of a batch's input, read from any place in it on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from explainery.contract.batches import ENDPOINT
from explainery.contract.errors import MalformedBody
from service.body import parsed

LINE_BYTES = 16 * 2**20
"""Longest line."""
MOST_BLANK = 100_000
"""Most blank lines in a row."""
ID_LENGTH = 512
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""What some programs begin a file in UTF-8 with."""


class UnusableInput(Exception):
    """The input cannot be read as what it is said to be. `code` and the message are told; no value of it is."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what it is called, and the body of its request."""

    custom_id: str
    body: Any


class Blanks:
    """Counts blank lines, which are no lines: a file of nothing else would keep its reader busy for ever."""

    def __init__(self) -> None:
        self._count = 0

    def seen(self) -> None:
        """One more. Raises UnusableInput past MOST_BLANK."""
        self._count += 1
        if self._count > MOST_BLANK:
            raise UnusableInput("too_many_blank_lines", f"More than {MOST_BLANK} lines in a row are blank.")

    def over(self) -> None:
        """A line that is none of them."""
        self._count = 0


class Reader(Protocol):
    """One form of input."""

    def read(self, stream: Any, position: int, number: int) -> Iterator[tuple[int, Line]]:
        """The lines from `position` on, each with the position behind it. Raises UnusableInput.

        `number`: of the line that is there; the first line has number 0 and position 0.
        """


class JsonLines:
    """OpenAI's form: a JSON object a line, with `custom_id`, `method`, `url` and `body`. Positions are bytes."""

    def read(self, stream: Any, position: int, number: int) -> Iterator[tuple[int, Line]]:
        """See `Reader`; blank lines are no lines."""
        stream.seek(position)
        blanks = Blanks()
        while text := stream.readline(LINE_BYTES + 1):
            if len(text) > LINE_BYTES:
                raise UnusableInput("line_too_long", f"The line is longer than {LINE_BYTES} bytes.")
            line = text if position else text.removeprefix(BYTE_ORDER_MARK)
            position += len(text)
            if not line.strip():
                blanks.seen()
                continue
            blanks.over()
            yield position, _line(line)


def _line(text: bytes) -> Line:
    try:
        said = parsed(text)
    except MalformedBody:
        raise UnusableInput("invalid_json_line", "The line is not JSON.") from None
    if not isinstance(said, dict):
        raise UnusableInput("invalid_json_line", "The line must be a JSON object.")
    if said.get("method") != "POST":
        raise UnusableInput("invalid_method", "method must be POST.", "method")
    if said.get("url") != ENDPOINT:
        raise UnusableInput("invalid_url", f"url must be {ENDPOINT}, as the batch's endpoint.", "url")
    return Line(checked_id(said.get("custom_id")), said.get("body"))


def checked_id(said: Any) -> str:
    """A line's own name. Raises UnusableInput."""
    if not isinstance(said, str) or not 0 < len(said) <= ID_LENGTH:
        raise UnusableInput("invalid_custom_id", f"custom_id must be a string of 1 to {ID_LENGTH} characters.", "custom_id")
    return said
