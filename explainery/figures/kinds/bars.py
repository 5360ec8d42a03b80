"""The largest attributions as bars, with error bars where there are standard errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from explainery.figures import theme, words
from explainery.figures.colours import INK
from explainery.figures.contributions import Contribution, Ranked, ranked
from explainery.figures.figure import Figure
from explainery.figures.subject import Subject

NAME, TITLE = "bars", "The largest attributions, with standard errors where there are some"
MOST_BARS = 20
MOST_ROWS = 200
WIDTH, BAR = 460, 25


def unfit(subject: Subject) -> str | None:
    """Say why the kind does not fit, None when it does."""
    return None if subject.pieces else "the result has no attributions"


def draw(subject: Subject) -> Figure:
    """Draw the largest, and say what the others come to."""
    parts = ranked(subject.pieces, MOST_ROWS)
    shown, left = parts.largest[:MOST_BARS], parts.largest[MOST_BARS:]
    reading = _reading(subject, parts)
    title = words.headline(subject)
    rows = tuple((part.name, part.value, part.amount, part.error) for part in parts.largest)
    notes = subject.notes
    if left:
        rest = sum(part.amount for part in left) + parts.others_sum
        notes = (f"The {len(left) + parts.others} elements that are not drawn come to {words.signed(rest)} together.", *notes)
    spec = theme.framed(title, reading, WIDTH + 240, _chart(subject, shown))
    return Figure(NAME, title, reading, ("feature", "value", "attribution", "standard error"), rows, spec, notes=notes)


def _reading(subject: Subject, parts: Ranked) -> str:
    told = [f"{words.short(part.name, 40)} ({words.signed(part.amount)}{_error(part)})" for part in parts.largest[:2]]
    output = words.amount(subject, subject.instance_output)
    counted = f" of {parts.count}" if parts.count > 2 else ""
    return f"For the {words.outcome(subject)} of {output}, the largest{counted} attributions are those of {words.listed(told)}."


def _error(part: Contribution) -> str:
    return f" ± {words.number(part.error, 2)}" if part.error else ""


def _chart(subject: Subject, shown: Sequence[Contribution]) -> dict[str, Any]:
    labels = theme.distinct([f"{part.name} = {part.value}" if part.value else part.name for part in shown])
    data = [
        {
            "label": label, "amount": part.amount, "sign": theme.sign(part.amount),
            "text": words.signed(part.amount) + _error(part),
            "low": part.amount - (part.error or 0.0), "high": part.amount + (part.error or 0.0),
            "tip": part.amount + (1 if part.amount >= 0 else -1) * (part.error or 0.0),
            "said": theme.said(label, part.amount, *([f"standard error: {part.error!r}"] if part.error is not None else [])),
        }
        for label, part in zip(labels, shown, strict=True)
    ]  # fmt: skip
    texts = [(part.amount < 0, words.signed(part.amount) + _error(part)) for part in shown]
    left, right = ([text for low, text in texts if low is side] for side in (True, False))
    ends = [0.0, *(part.amount + side * (part.error or 0.0) for part in shown for side in (-1, 1))]
    y = {
        "field": "label", "type": "nominal", "sort": None, "scale": {"paddingInner": 0.28},
        "axis": {"title": None, "ticks": False, "labelPadding": 8},
    }  # fmt: skip
    scale = {"domain": theme.domain(ends, WIDTH, left, right), "nice": False}
    x = {
        "field": "amount",
        "type": "quantitative",
        "scale": scale,
        "title": words.scale_title(subject),
        "axis": {"tickCount": 6},
    }
    said = {"field": "said", "type": "nominal"}
    layers: list[dict[str, Any]] = [
        {"mark": "bar", "encoding": {"x": x, "y": y, "color": theme.sign_colour(subject), "description": said}},
        {"mark": {"type": "rule", "color": INK, "aria": False}, "encoding": {"x": {"datum": 0, "type": "quantitative"}}},
    ]
    if any(part.error for part in shown):
        ends_of = {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}, "y": y}
        layers.append({"mark": {"type": "rule", "color": INK, "strokeWidth": 1.5, "aria": False}, "encoding": ends_of})
    for test, align, shift in ((">= 0", "left", 5), ("< 0", "right", -5)):
        layers.append(
            {
                "transform": [{"filter": f"datum.amount {test}"}],
                "mark": {"type": "text", "align": align, "dx": shift},
                "encoding": {
                    "x": {"field": "tip", "type": "quantitative"},
                    "y": y,
                    "text": {"field": "text"},
                    "description": said,
                },
            }
        )
    return {"width": WIDTH, "height": BAR * max(1, len(shown)), "data": theme.values(data), "layer": layers}
