"""What would have to be otherwise: a row beside its counterfactuals, with the values that change on a dark ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from explainery.figures import theme, words
from explainery.figures.colours import INK
from explainery.figures.figure import Cell, Figure
from explainery.figures.outcomes import outcome_of
from explainery.figures.subject import Subject

NAME, TITLE = "changes", "A row beside its counterfactuals, and which values change"
MOST_COLUMNS, MOST_LINES = 5, 24
CELL, LINE = 118, 30
WAYS = {"rises": "\N{UPWARDS ARROW} ", "falls": "\N{DOWNWARDS ARROW} ", "is another": ""}
"""What a change is, and its arrow: no colours, which say elsewhere what raises and lowers the output."""
KEPT, CHANGED = "stays", "#44546A"


def unfit(subject: Subject) -> str | None:
    """Say why the kind does not fit, None when it does."""
    told = _told(subject)
    if told is None:
        return "it needs the report of counterfactual"
    return None if told["counterfactuals"] else "no counterfactual of this row was found"


def draw(subject: Subject) -> Figure:
    """Draw every feature that one of the row's counterfactuals changes, the sparsest counterfactual first."""
    told = _told(subject) or {}
    found = list(told["counterfactuals"])
    rows = tuple(
        (number, str(change["feature"]), _cell(change["from"]), _cell(change["to"]), _way(change))
        for number, each in enumerate(found, start=1)
        for change in each["changes"]
    )
    reading = _reading(subject, told, found)
    title = f"{subject.model}, row {subject.row}: what would make it otherwise"
    shown = found[:MOST_COLUMNS]
    names = list(dict.fromkeys(str(change["feature"]) for each in shown for change in each["changes"]))
    notes = [f"Drawn are {MOST_COLUMNS} of {len(found)} counterfactuals."] if len(found) > MOST_COLUMNS else []
    if len(names) > MOST_LINES:
        notes.append(f"Drawn are {MOST_LINES} of {len(names)} features that change.")
    told_notes = tuple((told.get("quality") or {}).get("notes") or ())
    chart = _chart(subject, told, shown, names[:MOST_LINES])
    spec = theme.framed(title, reading, max(460, chart["width"] + 160), chart)
    columns = ("counterfactual", "feature", "from", "to", "change")
    return Figure(NAME, title, reading, columns, rows, spec, notes=(*notes, *told_notes, *subject.notes))


def _told(subject: Subject) -> Mapping[str, Any] | None:
    """What the report says of the row."""
    rows = (subject.report or {}).get("rows")
    if not isinstance(rows, list) or not 0 <= subject.row < len(rows) or "counterfactuals" not in rows[subject.row]:
        return None
    found: Mapping[str, Any] = rows[subject.row]
    return found


def _reading(subject: Subject, told: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> str:
    first = found[0]
    parts = [f"{words.short(str(change['feature']), 40)} {_step(subject, change)}" for change in first["changes"][:3]]
    more = f" and {len(first['changes']) - 3} more" if len(first["changes"]) > 3 else ""
    others = f"; {len(found) - 1} more way{'s were' if len(found) > 2 else ' was'} found" if len(found) > 1 else ""
    return (
        f"The row is {outcome_of(told['outcome'])}; with {words.listed(parts)}{more} "
        f"it would be {outcome_of(first['outcome'])}{others}."
    )


def _step(subject: Subject, change: Mapping[str, Any]) -> str:
    unit = words.feature_unit(subject, str(change["feature"])) if _is_number(change["to"]) else ""
    return f"{_value(change['from'])} → {_value(change['to'])} {unit}".rstrip()


def _value(value: Any) -> str:
    return words.number(float(value)) if _is_number(value) else words.short(str(value), 24)


def _cell(value: Any) -> Cell:
    return float(value) if _is_number(value) else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _way(change: Mapping[str, Any]) -> str:
    before, after = change["from"], change["to"]
    if not (_is_number(before) and _is_number(after)):
        return "is another"
    return "rises" if after > before else "falls"


def _chart(
    subject: Subject, told: Mapping[str, Any], shown: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> dict[str, Any]:
    lines = dict(zip(names, theme.distinct([words.with_unit(subject, name) for name in names]), strict=True))
    heads = ["as it is", *(f"way {number}" for number in range(1, len(shown) + 1))]
    own = {str(change["feature"]): change["from"] for each in shown for change in each["changes"]}
    data = [_entry(lines[name], heads[0], own[name], KEPT) for name in names]
    for head, each in zip(heads[1:], shown, strict=True):
        changed = {str(change["feature"]): change for change in each["changes"]}
        for name in names:
            way = _way(changed[name]) if name in changed else KEPT
            data.append(_entry(lines[name], head, changed[name]["to"] if name in changed else own[name], way))
    outcomes = [outcome_of(told["outcome"]), *(outcome_of(each["outcome"]) for each in shown)]
    data += [_entry("outcome", head, text, "outcome") for head, text in zip(heads, outcomes, strict=True)]
    order = [*lines.values(), "outcome"]
    x = {
        "field": "head", "type": "nominal", "sort": heads, "scale": {"paddingInner": 0.04},
        "axis": {"title": None, "orient": "top", "labelAngle": 0, "ticks": False, "labelPadding": 6},
    }  # fmt: skip
    y = {
        "field": "line", "type": "nominal", "sort": order, "scale": {"paddingInner": 0.1},
        "axis": {"title": None, "ticks": False, "labelPadding": 8},
    }  # fmt: skip
    said = {"field": "said", "type": "nominal"}
    boxes = {
        "transform": [{"filter": "datum.changed"}],
        "mark": {"type": "rect", "cornerRadius": 3, "color": CHANGED},
        "encoding": {"x": x, "y": y, "description": said},
    }
    texts = [
        {
            "transform": [{"filter": f"{test}datum.changed"}],
            "mark": {"type": "text", "color": ink, "limit": CELL - 8},
            "encoding": {"x": x, "y": y, "text": {"field": "text"}, "description": said},
        }
        for test, ink in (("", "white"), ("!", INK))
    ]
    return {
        "width": CELL * len(heads),
        "height": LINE * len(order),
        "data": theme.values(data),
        "layer": [boxes, *texts],
    }


def _entry(line: str, head: str, value: Any, way: str) -> dict[str, Any]:
    text = WAYS.get(way, "") + (_value(value) if way != "outcome" else str(value))
    whole = repr(float(value)) if _is_number(value) else str(value)
    return {"line": line, "head": head, "text": text, "changed": way in WAYS, "said": f"{line}, {head}: {whole}; {way}"}
