"""How the output goes as features are taken away, or put back, in the explanation's order; beside what random orders do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from explainery.figures import theme, words
from explainery.figures.colours import NEUTRAL, RAISES
from explainery.figures.figure import Figure
from explainery.figures.subject import Subject

NAME, TITLE = "removal", "The output as features are taken away or put back, the most important first"
SIDE, HEIGHT = 290, 210
CHECKS = {"deletion": "taken away", "insertion": "put back"}
"""Checks of the quality that have a curve, and what they do to features."""
BAND = "Grey: the mean area under curves of random orders, and one standard deviation about it. An area is a mean height."


def unfit(subject: Subject) -> str | None:
    """Say why the kind does not fit, None when it does."""
    return None if _found(subject) else 'it needs a row whose quality was checked by "deletion" or "insertion"'


def draw(subject: Subject) -> Figure:
    """Draw the curve of each check that there is."""
    found = _found(subject)
    ends = _ends(found)
    title = f"{words.headline(subject)}: {' and '.join(found)}"
    reading = _reading(subject, found)
    panels = [_panel(subject, name, told, ends, first=place == 0) for place, (name, told) in enumerate(found.items())]
    spec = theme.framed(title, reading, (SIDE + 60) * len(panels) + 30, {"hconcat": panels, "spacing": 30})
    rows = tuple((name, float(share), float(output)) for name, told in found.items() for share, output in _points(told))
    return Figure(NAME, title, reading, ("check", "share", "output"), rows, spec, notes=(BAND, *subject.notes))


def _found(subject: Subject) -> dict[str, Mapping[str, Any]]:
    """The checks whose curve is known."""
    return {name: subject.checks[name] for name in CHECKS if (subject.checks.get(name) or {}).get("curve")}


def _points(told: Mapping[str, Any]) -> list[tuple[float, float]]:
    return list(zip(told["share"], told["curve"], strict=True))


def _reading(subject: Subject, found: Mapping[str, Mapping[str, Any]]) -> str:
    parts = []
    for name, told in found.items():
        start, end = (words.number(float(told["curve"][place])) for place in (0, -1))
        chance = f"{words.number(float(told['random_mean']))} ± {words.number(float(told['random_spread']), 2)}"
        area = words.number(float(told["area"]))
        parts.append(f"from {start} to {end} as features are {CHECKS[name]}, over an area of {area} (random orders: {chance})")
    return f"The {words.outcome(subject)} goes {'; '.join(parts)}."


def _ends(found: Mapping[str, Mapping[str, Any]]) -> list[float]:
    """From where to where the output's axis goes, the same for both."""
    seen = [float(value) for told in found.values() for value in told["curve"]]
    seen += [told["random_mean"] + side * told["random_spread"] for told in found.values() for side in (-1, 1)]
    low, high = min(seen), max(seen)
    room = 0.05 * (high - low) or 0.1 * abs(high) or 1.0
    return [low - room, high + room]


def _panel(subject: Subject, name: str, told: Mapping[str, Any], ends: list[float], *, first: bool) -> dict[str, Any]:
    mean, spread = float(told["random_mean"]), float(told["random_spread"])
    points = [
        {"share": share, "output": output, "said": theme.said(f"{name}, {share:.4g}", output)}
        for share, output in _points(told)
    ]
    chance = theme.values([{"mean": mean, "low": mean - spread, "high": mean + spread}])
    y = {
        "field": "output", "type": "quantitative", "title": words.measure(subject) if first else None,
        "scale": {"domain": ends, "nice": False}, "axis": {"tickCount": 5},
    }  # fmt: skip
    x = {
        "field": "share", "type": "quantitative", "title": f"share of features {CHECKS[name]}",
        "axis": {"format": ".0%", "tickCount": 5},
    }  # fmt: skip
    band = {
        "data": chance,
        "mark": {"type": "rect", "color": NEUTRAL, "opacity": 0.22, "aria": False},
        "encoding": {"y": {**y, "field": "low"}, "y2": {"field": "high"}},
    }
    middle = {
        "data": chance,
        "mark": {"type": "rule", "color": NEUTRAL, "strokeDash": [5, 4], "aria": False},
        "encoding": {"y": {**y, "field": "mean"}},
    }
    line = {
        "data": theme.values(points),
        "mark": {"type": "line", "color": RAISES, "strokeWidth": 2, "point": {"size": 22, "color": RAISES}},
        "encoding": {"x": x, "y": y, "description": {"field": "said", "type": "nominal"}},
    }
    head = {"text": name, "subtitle": f"verdict: {told['verdict']}" if told.get("verdict") else "", "fontSize": 13}
    return {"width": SIDE, "height": HEIGHT, "title": head, "layer": [band, middle, line]}
