"""A rule that holds a row's outcome in place: its conditions, how often it is right, and how much of the data it covers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from explainery.figures import words
from explainery.figures.canvas import Canvas
from explainery.figures.figure import Figure
from explainery.figures.outcomes import outcome_of
from explainery.figures.subject import Subject

NAME, TITLE = "rule", "The rule that holds a row's outcome in place, with its precision and coverage"
LINE, BAR, ACROSS = 26, 14, 280
MOST_NAMED = 4
"""Conditions that the sentence names; all are drawn."""
FILLED, EMPTY = "#44546A", "#e4e4e4"


def unfit(subject: Subject) -> str | None:
    """Say why the kind does not fit, None when it does."""
    return None if _told(subject) is not None else "it needs the report of anchors"


def draw(subject: Subject) -> Figure:
    """Draw the rule of the row."""
    told = _told(subject) or {}
    rule = list(told["rule"])
    title = f"{subject.model}, row {subject.row}: a rule for its outcome"
    reading = _reading(subject, told, rule)
    rows = tuple((str(each["feature"]), each["low"], each["high"], each["equals"]) for each in rule)
    notes = tuple((told.get("quality") or {}).get("notes") or ())
    spec = _canvas(subject, told, rule).spec(title, reading)
    return Figure(NAME, title, reading, ("feature", "above", "at most", "equals"), rows, spec, notes=(*notes, *subject.notes))


def _told(subject: Subject) -> Mapping[str, Any] | None:
    """What the report says of the row."""
    rows = (subject.report or {}).get("rows")
    if not isinstance(rows, list) or not 0 <= subject.row < len(rows) or not {"rule", "precision"} <= set(rows[subject.row]):
        return None
    found: Mapping[str, Any] = rows[subject.row]
    return found


def _reading(subject: Subject, told: Mapping[str, Any], rule: Sequence[Mapping[str, Any]]) -> str:
    conditions = [f"{words.short(str(each['feature']), 40)} {_condition(subject, each)}" for each in rule[:MOST_NAMED]]
    more = [f"{len(rule) - MOST_NAMED} more"] if len(rule) > MOST_NAMED else []
    when = f"With {words.listed([*conditions, *more])}" if rule else "Whatever the features are,"
    outcome, sure = told["outcome"], (subject.report or {}).get("confidence")
    label = outcome.get("label")
    stays = f"stays near {outcome_of(outcome)}" if label is None else f"is {words.short(str(label), 40)}"
    return (
        f"{when} the outcome {stays} in at least {told['precision']:.1%} of the rows tried"
        f"{f', at a confidence of {sure:.4g}' if isinstance(sure, float) else ''}; "
        f"the rule covers {told['coverage']:.1%} of the data."
    )


def _condition(subject: Subject, each: Mapping[str, Any]) -> str:
    if (value := each["equals"]) is not None:
        return f"= {words.number(value) if isinstance(value, float) else words.short(str(value), 40)}"
    ends = (("above", each["low"]), ("at most", each["high"]))
    bounds = [f"{word} {words.number(float(end))}" for word, end in ends if end is not None]
    return f"{', '.join(bounds)} {words.feature_unit(subject, str(each['feature']))}".strip()


def _canvas(subject: Subject, told: Mapping[str, Any], rule: Sequence[Mapping[str, Any]]) -> Canvas:
    canvas = Canvas()
    lines = [(words.short(str(each["feature"]), 40), _condition(subject, each)) for each in rule]
    for place, (name, condition) in enumerate(lines or [("any feature", "any value")]):
        canvas.text(200, LINE * place + 10, name, align="right")
        canvas.text(216, LINE * place + 10, condition, colour=FILLED)
    below = LINE * max(1, len(lines)) + 14
    shares = (("precision, at least", told["precision"]), ("coverage of the data", told["coverage"]))
    for place, (name, share) in enumerate(shares):
        y = below + LINE * place
        canvas.text(200, y + BAR / 2, name, align="right")
        canvas.box(216, y, ACROSS, BAR, EMPTY, f"{name}: all")
        canvas.box(216, y, ACROSS * float(share), BAR, FILLED, f"{name}: {float(share)!r}")
        canvas.text(216 + ACROSS + 10, y + BAR / 2, f"{float(share):.1%}")
    return canvas
