"""How much the loss grows when a feature's values are shuffled, with the shuffles' standard errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from explainery.figures import theme, words
from explainery.figures.colours import INK, NEUTRAL
from explainery.figures.figure import Figure
from explainery.figures.subject import Subject

NAME, TITLE = "importance", "How much the loss grows when a feature is shuffled, with standard errors"
MOST_BARS = 24
WIDTH, BAR = 420, 25


def unfit(subject: Subject) -> str | None:
    """Say why the kind does not fit, None when it does."""
    features = (subject.report or {}).get("features")
    fits = isinstance(features, list) and features and all("importance" in entry for entry in features)
    return None if fits else "it needs the report of permutation_importance"


def draw(subject: Subject) -> Figure:
    """Draw the features, the most important first."""
    report = subject.report or {}
    ranked = sorted(report["features"], key=lambda entry: -float(entry["importance"]))
    rows = tuple((str(entry["feature"]), float(entry["importance"]), float(entry["standard_error"])) for entry in ranked)
    reading = _reading(report, rows)
    title = f"{subject.model}: permutation importance"
    notes = [f"Each row's {report['against']} is what the loss is counted against."] if report.get("against") else []
    if len(rows) > MOST_BARS:
        notes.append(f"Drawn are {MOST_BARS} of {len(rows)} features.")
    spec = theme.framed(title, reading, WIDTH + 240, _chart(report, rows[:MOST_BARS]))
    return Figure(NAME, title, reading, ("feature", "importance", "standard error"), rows, spec, notes=(*notes, *subject.notes))


def _reading(report: Mapping[str, Any], rows: tuple[tuple[str, float, float], ...]) -> str:
    told = [f"{words.short(name, 40)} ({words.signed(most)} ± {words.number(error, 2)})" for name, most, error in rows[:2]]
    loss = f"Over {report['rows']} rows the loss ({report['loss']}) is {words.number(float(report['loss_of_rows']))}"
    if rows[0][1] <= 0:
        return f"{loss}, and shuffling no feature makes it grow."
    grows = [each for each, row in zip(told, rows, strict=False) if row[1] > 0]
    return f"{loss}; it grows most when shuffling {words.listed(grows)}."


def _chart(report: Mapping[str, Any], rows: tuple[tuple[str, float, float], ...]) -> dict[str, Any]:
    labels = theme.distinct([name for name, _, _ in rows])
    data = [
        {
            "label": label, "amount": amount, "low": amount - error, "high": amount + error,
            "tip": amount + (error if amount >= 0 else -error), "text": _text(amount, error),
            "said": theme.said(label, amount, f"standard error: {error!r}"),
        }
        for label, (_, amount, error) in zip(labels, rows, strict=True)
    ]  # fmt: skip
    left, right = ([_text(amount, error) for _, amount, error in rows if (amount < 0) is low] for low in (True, False))
    ends = [0.0, *(amount + side * error for _, amount, error in rows for side in (-1, 1))]
    scale = {"domain": theme.domain(ends, WIDTH, left, right), "nice": False}
    x = {
        "field": "amount",
        "type": "quantitative",
        "scale": scale,
        "title": f"growth of the loss ({report['loss']})",
        "axis": {"tickCount": 6},
    }
    y = {
        "field": "label", "type": "nominal", "sort": None, "scale": {"paddingInner": 0.28},
        "axis": {"title": None, "ticks": False, "labelPadding": 8},
    }  # fmt: skip
    said = {"field": "said", "type": "nominal"}
    span = {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}, "y": y}
    layers: list[dict[str, Any]] = [
        {"mark": {"type": "bar", "color": NEUTRAL}, "encoding": {"x": x, "y": y, "description": said}},
        {"mark": {"type": "rule", "color": INK, "aria": False}, "encoding": {"x": {"datum": 0, "type": "quantitative"}}},
        {"mark": {"type": "rule", "color": INK, "strokeWidth": 1.5, "aria": False}, "encoding": span},
    ]
    for test, align, shift in ((">= 0", "left", 5), ("< 0", "right", -5)):
        tip = {"x": {"field": "tip", "type": "quantitative"}, "y": y, "text": {"field": "text"}, "description": said}
        mark = {"type": "text", "align": align, "dx": shift}
        layers.append({"transform": [{"filter": f"datum.amount {test}"}], "mark": mark, "encoding": tip})
    return {"width": WIDTH, "height": BAR * len(rows), "data": theme.values(data), "layer": layers}


def _text(amount: float, error: float) -> str:
    return f"{words.signed(amount)} ± {words.number(error, 2)}"
