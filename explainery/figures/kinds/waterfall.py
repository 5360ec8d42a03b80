"""The way from the baseline's output to the row's own, feature by feature. Every step is a number of the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from explainery.figures import theme, words
from explainery.figures.colours import INK, NEUTRAL
from explainery.figures.contributions import ranked
from explainery.figures.figure import Figure
from explainery.figures.subject import Subject

NAME, TITLE = "waterfall", "From the baseline's output to the row's own, by feature, with the features' values"
MOST_STEPS = 9
WIDTH, BAR = 460, 27
WITHIN_ONE = {"labelExpr": "datum.value < 0 || datum.value > 1 ? '' : datum.label"}
"""The scale goes on where numbers are written beside the bars; no probability does."""
NOTHING = 1e-6
"""What is left unexplained is a step of its own above this share of the largest number."""


@dataclass(frozen=True)
class Step:
    """One bar: from `start` to `end`; the two anchors begin and end at their output."""

    name: str
    value: str | None
    amount: float
    start: float
    end: float
    anchor: bool = False


def unfit(subject: Subject) -> str | None:
    """Say why the kind does not fit, None when it does."""
    if not subject.pieces or any(piece.layer for piece in subject.pieces):
        return "it needs attributions of the model's inputs"
    if not subject.complete:
        return f"the attributions of {subject.method} do not sum to the output's change; see bars"
    return None


def draw(subject: Subject) -> Figure:
    """Draw the largest steps, the others as one, and what the attributions leave unexplained."""
    steps = _steps(subject)
    reading = _reading(subject, steps)
    title = words.headline(subject)
    rows = tuple((step.name, step.value, step.amount, step.start, step.end) for step in steps)
    spec = theme.framed(title, reading, WIDTH + 240, _chart(subject, steps))
    return Figure(NAME, title, reading, ("feature", "value", "amount", "from", "to"), rows, spec, notes=subject.notes)


def _steps(subject: Subject) -> list[Step]:
    parts = ranked(subject.pieces, MOST_STEPS)
    if parts.others == 1:
        parts = ranked(subject.pieces, MOST_STEPS + 1)
    here, goal = subject.baseline_output, subject.instance_output
    steps = [Step("baseline output", None, here, here, here, anchor=True)]
    amounts = [(part.name, part.value, part.amount) for part in parts.largest]
    if parts.others:
        amounts.append((f"the other {parts.others} features", None, parts.others_sum))
    left = goal - here - sum(amount for _, _, amount in amounts)
    if abs(left) > NOTHING * max(abs(goal), abs(here), abs(goal - here)):
        amounts.append(("not attributed (completeness gap)", None, left))
    for name, value, amount in amounts:
        steps.append(Step(name, value, amount, here, here + amount))
        here += amount
    return [*steps, Step("output of this row", None, goal, goal, goal, anchor=True)]


def _reading(subject: Subject, steps: list[Step]) -> str:
    named = [step for step in steps[1:-1] if step.amount][:2]
    told = [
        f"{words.short(step.name, 40)}{f' ({step.value})' if step.value else ''}: {words.signed(step.amount)}" for step in named
    ]
    moved = f"mostly by {words.listed(told)}" if told else "and no feature moves it"
    start, end = words.amount(subject, subject.baseline_output), words.amount(subject, subject.instance_output)
    return f"The {words.outcome(subject)} goes from {start} at the baseline to {end} for this row, {moved}."


def _chart(subject: Subject, steps: list[Step]) -> dict[str, Any]:
    labels = theme.distinct([f"{step.name} = {step.value}" if step.value else step.name for step in steps])
    ends = [end for step in steps for end in (step.start, step.end)]
    data = [
        {
            "label": label, "start": step.start, "end": step.end, "sign": theme.sign(0.0 if step.anchor else step.amount),
            "side": "anchor" if step.anchor else "right" if step.amount >= 0 else "left",
            "text": words.amount(subject, step.amount) if step.anchor else words.signed(step.amount),
            "said": theme.said(label, step.amount), "next": labels[min(place + 1, len(labels) - 1)],
        }
        for place, (label, step) in enumerate(zip(labels, steps, strict=True))
    ]  # fmt: skip
    axis = {"title": None, "ticks": False, "labelPadding": 8}
    y = {"field": "label", "type": "nominal", "sort": None, "axis": axis, "scale": {"paddingInner": 0.28}}
    left, right = ([str(entry["text"]) for entry in data if (entry["side"] == "left") is side] for side in (True, False))
    scale = {"domain": theme.domain(ends, WIDTH, left, right), "zero": False, "nice": False}
    x = {"field": "start", "type": "quantitative", "scale": scale, "title": f"{words.outcome(subject)}{_unit(subject)}"}
    x["axis"] = {"tickCount": 6} | (WITHIN_ONE if words.measure(subject) == "probability" else {})
    end = {"field": "end", "type": "quantitative"}
    said = {"field": "said", "type": "nominal"}
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "rule", "color": NEUTRAL, "strokeWidth": 1, "aria": False},
            "encoding": {"x": end, "y": y, "y2": {"field": "next"}},
        },
        {
            "transform": [{"filter": "datum.side != 'anchor'"}],
            "mark": {"type": "bar", "minBandSize": 1},
            "encoding": {"x": x, "x2": {"field": "end"}, "y": y, "color": theme.sign_colour(subject), "description": said},
        },
        {
            "transform": [{"filter": "datum.side == 'anchor'"}],
            "mark": {"type": "point", "filled": True, "size": 90, "color": INK, "opacity": 1},
            "encoding": {"x": end, "y": y, "description": said},
        },
    ]
    for side, align, shift in (("right", "left", 5), ("anchor", "left", 9), ("left", "right", -5)):
        layers.append(
            {
                "transform": [{"filter": f"datum.side == '{side}'"}],
                "mark": {"type": "text", "align": align, "dx": shift, "fontWeight": "bold" if side == "anchor" else "normal"},
                "encoding": {"x": end, "y": y, "text": {"field": "text"}, "description": said},
            }
        )
    return {"width": WIDTH, "height": BAR * len(steps), "data": theme.values(data), "layer": layers}


def _unit(subject: Subject) -> str:
    return f" ({words.unit(subject)})" if words.unit(subject) else ""
