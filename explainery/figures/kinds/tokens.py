"""A text with its words coloured by attribution: as HTML, and drawn."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from explainery.figures import words
from explainery.figures.canvas import Canvas
from explainery.figures.colours import INK, hex_colour, ink_on
from explainery.figures.figure import Figure
from explainery.figures.letters import width
from explainery.figures.scales import limit_of
from explainery.figures.subject import Piece, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME, TITLE = "tokens", "A text with its words, tokens or sentences coloured by attribution"
LINE, PAD = 27, 3
"""Pixels from line to line, and beside a coloured part."""
SIZE, WIDTH = 14, 720
MOST_LETTERS = 60
"""Of a word on one line; the rest goes on the next."""
MOST_DRAWN = 600
"""Most parts that SVG and PNG show; the HTML and the table have them all."""


@dataclass(frozen=True)
class Part:
    """A stretch of the text; `amount` is None for what is between the features."""

    text: str
    amount: float | None = None


def unfit(subject: Subject) -> str | None:
    """Say why the kind does not fit, None when it does."""
    return None if _piece(subject) else "it needs an attribution whose features are parts of a text"


def draw(subject: Subject) -> Figure:
    """Draw the first text of the row."""
    piece = _piece(subject)
    if piece is None:
        raise ValueError("not a text")
    parts = list(_parts(piece))
    limit, beyond = limit_of(piece.values)
    reading, title = _reading(subject, piece), words.headline(subject)
    notes = list(subject.notes)
    if len(parts) > MOST_DRAWN:
        notes.insert(0, f"The drawing shows the first {MOST_DRAWN} of {len(parts)} parts.")
    if piece.offsets and not isinstance(piece.given, bytes):
        notes.insert(0, "The text itself is not kept: its parts are shown one after the other.")
    columns = ("place", "text", "attribution") if piece.errors is None else ("place", "text", "attribution", "standard error")
    errors = [] if piece.errors is None else piece.errors.reshape(-1).tolist()
    rows = tuple(
        (place, text, amount, *errors[place - 1 : place])
        for place, (text, amount) in enumerate(
            zip(piece.features or (), piece.values.reshape(-1).tolist(), strict=True), start=1
        )
    )
    spec = _canvas(subject, parts[:MOST_DRAWN], limit, beyond).spec(title, reading, least_width=WIDTH)
    return Figure(NAME, title, reading, columns, rows, spec, _html(parts, limit), tuple(notes))


def _piece(subject: Subject) -> Piece | None:
    """The piece of a text: it has offsets, or its input is a text, and a feature per element."""
    for piece in subject.pieces:
        named = piece.features is not None and len(piece.features) == piece.values.size and piece.layer is None
        if named and (piece.offsets is not None or piece.modality == "text"):
            return piece
    return None


def _reading(subject: Subject, piece: Piece) -> str:
    ranked = sorted(zip(piece.features or (), piece.values.reshape(-1).tolist(), strict=True), key=lambda pair: -abs(pair[1]))
    told = [f"\u201c{words.short(text, 30)}\u201d ({words.signed(amount)})" for text, amount in ranked[:3]]
    output = words.amount(subject, subject.instance_output)
    return f"For the {words.outcome(subject)} of {output}, the words that matter most are {words.listed(told)}."


def _parts(piece: Piece) -> Iterator[Part]:
    """The text in order: features in their colours, what is between them plain. Without the text, the features alone."""
    features, amounts = piece.features or (), piece.values.reshape(-1).tolist()
    text = piece.given.decode(errors="replace") if isinstance(piece.given, bytes) else None
    if text is None or piece.offsets is None or len(piece.offsets) != len(features):
        for feature, amount in zip(features, amounts, strict=True):
            yield Part(feature, amount)
            yield Part(" ")
        return
    here = 0
    for (start, end), amount in sorted(zip(piece.offsets, amounts, strict=True)):
        start, end = max(start, here), min(end, len(text))  # overlapping ones are not shown twice
        if start >= end:
            continue
        if start > here:
            yield Part(text[here:start])
        yield Part(text[start:end], amount)
        here = end
    if here < len(text):
        yield Part(text[here:])


def _html(parts: list[Part], limit: float) -> str:
    """Paragraph with a mark per feature. Everything a client wrote is escaped."""
    made = []
    for part in parts:
        if part.amount is None:
            made.append(escape(part.text))
            continue
        colours = f"background:{hex_colour(part.amount, limit)};color:{ink_on(part.amount, limit)}"
        made.append(f'<mark style="{colours};border-radius:2px" title="{part.amount!r}">{escape(part.text)}</mark>')
    return f'<p style="white-space:pre-wrap;line-height:1.8">{"".join(made)}</p>'


def _canvas(subject: Subject, parts: list[Part], limit: float, beyond: bool) -> Canvas:
    canvas = Canvas()
    x, y = 0.0, 14.0
    for part in parts:
        pad = 0 if part.amount is None else PAD
        for piece in _pieces(part.text):
            across = width(piece, SIZE) + 2 * pad
            if piece == "\n" or (x > 0 and x + across > WIDTH):
                x, y = 0.0, y + LINE
            if not piece.strip():
                x += across if piece == " " and x else 0
                continue
            if part.amount is not None:
                said = f"{piece}: {part.amount!r}"
                canvas.box(x, y - 10, across, 20, hex_colour(part.amount, limit), said)
            colour = INK if part.amount is None else ink_on(part.amount, limit)
            canvas.text(x + pad, y, piece, colour=colour, size=SIZE)
            x += across + (1 if pad else 0)
    canvas.legend(0, y + 30, limit, words.colour_title(subject), beyond=beyond)
    return canvas


def _pieces(text: str) -> Iterator[str]:
    """What is kept on one line: words no longer than a line, spaces, line ends."""
    for number, line in enumerate(text.replace("\r", "").replace("\t", " ").split("\n")):
        if number:
            yield "\n"
        for word in re.findall(r" |[^ ]+", line):
            yield from (word[start : start + MOST_LETTERS] for start in range(0, len(word), MOST_LETTERS))
