"""What all charts share: schema, fonts, title with the reading under it, and marks that say their number aloud."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from explainery.figures import words
from explainery.figures.colours import INK, LOWERS, NEUTRAL, RAISES
from explainery.figures.letters import width as width_of
from explainery.figures.subject import Subject

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
LETTERS_A_LINE = 6.4
"""Pixels a letter of the subtitle takes on the average."""
SIGNS = ("raises the output", "lowers the output", "")
CONFIG: dict[str, Any] = {
    "font": FONT,
    "background": "white",
    "view": {"stroke": None},
    "axis": {"labelFontSize": 12, "titleFontSize": 12, "labelLimit": 330, "labelColor": INK, "titleColor": INK,
             "titleFontWeight": "normal", "gridColor": "#e4e4e4", "domain": False, "tickColor": "#bbbbbb"},
    "legend": {"labelFontSize": 12, "titleFontSize": 12, "symbolType": "square",
               "labelLimit": 300, "titleFontWeight": "normal"},
    "title": {"fontSize": 15, "subtitleFontSize": 12.5, "subtitleColor": "#444444", "anchor": "start", "offset": 14,
              "subtitlePadding": 6, "subtitleLineHeight": 17, "lineHeight": 19, "limit": 0},
    "text": {"fontSize": 12, "color": INK},
}  # fmt: skip


def framed(title: str, reading: str, width: float, body: dict[str, Any]) -> dict[str, Any]:
    """A whole spec around `body`: the title, and the reading under it in lines as wide as the chart."""
    a_line = max(40, int(width / LETTERS_A_LINE))
    head = {"text": textwrap.wrap(title, int(a_line * 0.8)), "subtitle": textwrap.wrap(reading, a_line), "frame": "bounds"}
    return {"$schema": SCHEMA, "description": reading, "title": head, "padding": 14, "config": CONFIG, **body}


def values(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows as inline data."""
    return {"values": rows}


def said(name: str, number: float | None, *more: str) -> str:
    """What a mark says: its name and the number, unrounded."""
    return "; ".join([f"{name}: {number!r}", *more])


def sign(amount: float) -> str:
    """Which of SIGNS an amount has."""
    return SIGNS[0] if amount > 0 else SIGNS[1] if amount < 0 else SIGNS[2]


def sign_colour(subject: Subject) -> dict[str, Any]:
    """Colour by sign, with a legend above the chart; grey for what neither raises nor lowers the output."""
    if not subject.contributes:
        return {"value": NEUTRAL}
    scale = {"domain": [*SIGNS[:2]], "range": [RAISES, LOWERS]}
    return {"field": "sign", "type": "nominal", "scale": scale, "legend": {"title": None, "orient": "top", "offset": 6}}


def domain(ends: Sequence[float], width: float, left: Iterable[str], right: Iterable[str]) -> list[float]:
    """From where to where a scale of `width` pixels goes so that the numbers written left and right of its bars have room."""
    low, high = min(ends), max(ends)
    before, after = (max((width_of(text, 12) + 12 for text in texts), default=6.0) for texts in (left, right))
    span = (high - low) or abs(low) or 1.0
    pixel = span / max(width - before - after, 0.25 * width)
    return [low - before * pixel, high + after * pixel]


def distinct(names: list[str]) -> list[str]:
    """Shortened names, each its own: a nominal scale would lay equal ones on each other."""
    known: dict[str, int] = {}
    made = []
    for name in map(words.short, names):
        known[name] = known.get(name, 0) + 1
        made.append(name if known[name] == 1 else f"{name} ({known[name]})")
    return made
