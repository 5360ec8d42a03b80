"""A layer report: gradient norm, spread of the activations and share of dead units, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from explainery.figures import theme, words
from explainery.figures.colours import LOWERS, NEUTRAL, RAISES
from explainery.figures.figure import Cell, Figure
from explainery.figures.subject import Subject

NAME, TITLE = "layers", "A layer report: gradients, activations and dead units of every layer"
MOST_LAYERS = 60
WIDTH, BAR = 190, 22
PANELS = (
    ("gradient_norm", "gradient norm (log)", RAISES, True),
    ("activation_std", "activations, std", NEUTRAL, False),
    ("activation_mean", "activations, mean", NEUTRAL, False),
    ("saturated_share", "saturated share", LOWERS, False),
    ("dead_share", "dead share", LOWERS, False),
)
"""Figure of the report, what it is called, its colour, and whether its scale is logarithmic; at most three are drawn."""
DRAWN = ("gradient_norm", "activation_std", "dead_share")
TINY = 1e-12
"""Where a logarithmic scale begins, so that a gradient of nothing has a place."""


def unfit(subject: Subject) -> str | None:
    """Say why the kind does not fit, None when it does."""
    layers = (subject.report or {}).get("layers")
    if not layers or not _drawn(layers):
        return "it needs the report of layer_report"
    return None


def draw(subject: Subject) -> Figure:
    """Draw the layers in the order of the report."""
    report = subject.report or {}
    layers = list(report.get("layers") or ())
    findings = [_worded(finding) for finding in report.get("findings") or ()]
    reading = _reading(layers, findings)
    title = f"{subject.model}: layer report"
    columns = ("path", "type", *(name for name, *_ in PANELS if any(name in layer for layer in layers)))
    rows: tuple[tuple[Cell, ...], ...] = tuple(tuple(layer.get(column) for column in columns) for layer in layers)
    notes = [*findings]
    if len(layers) > MOST_LAYERS:
        notes.append(f"Drawn are the first {MOST_LAYERS} of {len(layers)} layers.")
    chart = _chart(layers[:MOST_LAYERS])
    spec = theme.framed(title, reading, WIDTH * len(chart["hconcat"]) + 200, chart)
    return Figure(NAME, title, reading, columns, rows, spec, notes=tuple(notes))


def _worded(finding: Any) -> str:
    """A finding in words: it may be a text, or an object that has one."""
    if isinstance(finding, Mapping):
        told = next((finding[name] for name in ("text", "detail", "message", "finding") if finding.get(name)), "")
        where = finding.get("layer") or finding.get("path")
        return words.short(str(told) if told and (not where or str(where) in str(told)) else f"{where}: {told}", 300)
    return words.short(str(finding), 300)


def _reading(layers: list[Mapping[str, Any]], findings: list[str]) -> str:
    said = f"{len(findings)} finding{'s' if len(findings) != 1 else ''}: {findings[0]}" if findings else "nothing is amiss"
    norms = [(layer["gradient_norm"], layer["path"]) for layer in layers if _number(layer.get("gradient_norm")) is not None]
    spread = ""
    if norms:
        low, high = min(norms), max(norms)
        spread = f"; gradient norms go from {words.number(low[0])} ({low[1]}) to {words.number(high[0])} ({high[1]})"
    return f"In {len(layers)} layers, {said.rstrip('.')}{spread}."


def _drawn(layers: list[Mapping[str, Any]]) -> list[tuple[str, str, str, bool]]:
    known = [panel for panel in PANELS if any(_number(layer.get(panel[0])) is not None for layer in layers)]
    wanted = [panel for panel in known if panel[0] in DRAWN]
    return (wanted + [panel for panel in known if panel not in wanted])[:3]


def _chart(layers: list[Mapping[str, Any]]) -> dict[str, Any]:
    labels = theme.distinct([f"{layer.get('path', '?')}  ({layer.get('type', '?')})" for layer in layers])
    panels = [_panel(layers, labels, *panel, first=place == 0) for place, panel in enumerate(_drawn(layers))]
    return {"hconcat": panels, "spacing": 26}


def _panel(
    layers: list[Mapping[str, Any]], labels: list[str], name: str, title: str, colour: str, log: bool, *, first: bool
) -> dict[str, Any]:
    numbers = [_number(layer.get(name)) for layer in layers]
    known = [abs(value) for value in numbers if value]
    floor = 10.0 ** math.floor(math.log10(max(TINY, min(known, default=1.0)))) / 10 if log else 0.0
    data = [
        {
            "label": label, "value": value, "bar": value if not log or value is None else max(value, floor),
            "text": "not known" if value is None else words.number(value), "said": theme.said(label, value), "floor": floor,
        }
        for label, value in zip(labels, numbers, strict=True)
    ]  # fmt: skip
    most, least = max(known, default=1.0), min([value for value in numbers if value is not None], default=0.0)
    room = [floor, most * (most / floor) ** 0.35] if log and floor else [min(0.0, 1.3 * least), 1.35 * most]
    scale = {"type": "log" if log else "linear", "domain": room, "nice": False}
    axis = {"title": title, "tickCount": 4, "labelFlush": True, "labelOverlap": True, "format": ".3~g"}
    side = {"title": None, "ticks": False, "labelPadding": 8} if first else None
    y = {"field": "label", "type": "nominal", "sort": None, "axis": side, "scale": {"paddingInner": 0.3}}
    said = {"field": "said", "type": "nominal"}
    x = {"field": "bar", "type": "quantitative", "scale": scale, "axis": axis}
    bars = {
        "mark": {"type": "bar", "color": colour},
        "encoding": {"x": x, "x2": {"field": "floor"}, "y": y, "description": said},
    }
    text = {
        "mark": {"type": "text", "align": "left", "dx": 4},
        "encoding": {"x": {"field": "tip", "type": "quantitative"}, "y": y, "text": {"field": "text"}, "description": said},
    }
    for entry in data:
        entry["tip"] = floor if entry["bar"] is None else max(float(entry["bar"]), floor)
    return {"width": WIDTH, "height": BAR * len(layers), "data": theme.values(data), "layer": [bars, text]}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
