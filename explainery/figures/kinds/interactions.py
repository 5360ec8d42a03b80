"""What each pair of features changes together beyond what each changes alone, as a square of colours with its numbers."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from explainery.figures import theme, words
from explainery.figures.colours import hex_colour, ink_on
from explainery.figures.figure import Figure
from explainery.figures.subject import Subject

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME, TITLE = "interactions", "What each pair of features changes together, beyond what each changes alone"
CELL = 50
AXES = ("player", "player")
NOTHING = 1e-3
"""Less than this share of the strongest pair is written as 0."""
NOTE = "Blue raises, red lowers. On the diagonal: what a feature changes alone. Colours end at the strongest pair."


def unfit(subject: Subject) -> str | None:
    """Say why the kind does not fit, None when it does."""
    table = _table(subject)
    return None if table is not None and len(table) > 1 else "it needs the interactions of two features or more"


def draw(subject: Subject) -> Figure:
    """Draw every pair."""
    table = _table(subject)
    if table is None:
        raise ValueError("no interactions")
    names = theme.distinct(_names(subject, len(table)))
    pairs = sorted(combinations(range(len(table)), 2), key=lambda pair: -abs(table[pair]))
    reading = _reading(subject, table, names, pairs)
    title = f"{words.headline(subject)}: pairs of features"
    alone = tuple((name, None, float(table[place, place])) for place, name in enumerate(names))
    rows = (*((names[one], names[two], float(table[one, two])) for one, two in pairs), *alone)
    chart = _chart(table, names, float(abs(table[pairs[0]])) or 1.0)
    spec = theme.framed(title, reading, chart["width"] + 160, chart)
    return Figure(NAME, title, reading, ("feature", "with", "change"), rows, spec, notes=(NOTE, *subject.notes))


def _table(subject: Subject) -> NDArray[Any] | None:
    """[features, features]."""
    return next((entry.values for entry in subject.maps if entry.axes == AXES), None)


def _names(subject: Subject, count: int) -> list[str]:
    """The features' names where the attributions have as many elements, else their numbers."""
    named = [words.feature_name(piece, place) for piece in subject.pieces for place in range(piece.values.size)]
    return named if len(named) == count else [f"feature {place + 1}" for place in range(count)]


def _reading(subject: Subject, table: NDArray[Any], names: list[str], pairs: list[tuple[int, int]]) -> str:
    told = [f"{names[one]} with {names[two]} ({words.signed(float(table[one, two]))})" for one, two in pairs[:2]]
    return f"Beyond what each changes alone, the {words.outcome(subject)} is changed most by {words.listed(told)}."


def _text(value: float, limit: float) -> str:
    return words.number(value, 2) if abs(value) > NOTHING * limit else "0"


def _chart(table: NDArray[Any], names: list[str], limit: float) -> dict[str, Any]:
    data = [
        {
            "line": names[row], "column": names[column], "text": _text(float(table[row, column]), limit),
            "colour": hex_colour(float(table[row, column]), limit), "ink": ink_on(float(table[row, column]), limit),
            "said": theme.said(f"{names[row]}, {names[column]}", float(table[row, column])),
        }
        for row in range(len(names)) for column in range(len(names))
    ]  # fmt: skip
    axis = {"title": None, "ticks": False, "labelPadding": 8}
    x = {"field": "column", "type": "nominal", "sort": None, "axis": axis | {"labelAngle": -50, "labelLimit": 150}}
    y = {"field": "line", "type": "nominal", "sort": None, "axis": axis}
    said = {"field": "said", "type": "nominal"}

    def coloured(field: str) -> dict[str, Any]:
        return {"x": x, "y": y, "color": {"field": field, "type": "nominal", "scale": None}, "description": said}

    boxes = {"mark": {"type": "rect", "stroke": "white", "strokeWidth": 1}, "encoding": coloured("colour")}
    texts = {"mark": {"type": "text", "fontSize": 11}, "encoding": coloured("ink") | {"text": {"field": "text"}}}
    side = CELL * len(names)
    return {"width": side, "height": side * 0.6, "data": theme.values(data), "layer": [boxes, texts]}
