"""A result as a small piece of HTML, for notebooks. Nothing in it is taken for markup but what stands here."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from explainery.figures.colours import LOWERS, RAISES

if TYPE_CHECKING:
    from explainery.client.outcome import ExplanationResult
    from explainery.contract.result import Explanation

ROWS = 5
FEATURES = 8
_CELL = "text-align:left;vertical-align:top;padding:2px 10px 2px 0"
_WIDTH = 80
_TRACK = f"display:inline-block;width:{_WIDTH + 6}px"
_BAR = "display:inline-block;height:8px;border-radius:2px;background:"


def html_of(result: ExplanationResult) -> str:
    """The first rows, each with its output and its strongest features as bars."""
    about = result.result
    title = f"{about.model.name}@{about.model.version}, {about.method}"
    if not result.explanations:
        text = str((about.report or {}).get("text", ""))
        return f"<div><b>{escape(title)}</b><br>{escape(text)}</div>"
    count = len(result.explanations)
    shown = "" if count <= ROWS else f", of which the first {ROWS} are shown"
    rows = "".join(_row(result, number) for number in range(min(count, ROWS)))
    heads = "".join(f'<th style="{_CELL}">{name}</th>' for name in ("row", "output", "strongest", "quality"))
    said = f"{count} row{'' if count == 1 else 's'}{shown}"
    return f"<div><b>{escape(title)}</b>: {said}<table><tr>{heads}</tr>{rows}</table></div>"


def _row(result: ExplanationResult, number: int) -> str:
    explanation = result.explanations[number]
    name = number if result.index is None else result.index[number]
    target = explanation.target.label or explanation.target.output
    output = f"{escape(target)} = {explanation.instance_output:.6g}<br>baseline {explanation.baseline_output:.6g}"
    quality = "<br>".join([explanation.quality.verdict, *map(escape, explanation.quality.notes[:2])])
    cells = (escape(str(name)), output, _strongest(result, explanation, number), quality)
    return "<tr>" + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells) + "</tr>"


def _strongest(result: ExplanationResult, explanation: Explanation, number: int) -> str:
    import numpy as np

    found: list[tuple[float, str]] = []
    for attribution in explanation.attributions:
        own = result.row_of(attribution, number)
        flat = own.ravel()
        for place in np.argsort(-np.abs(flat), kind="stable")[:FEATURES].tolist():
            where = ",".join(str(each) for each in np.unravel_index(place, own.shape))
            known = attribution.features is not None and len(attribution.features) == flat.size
            name = attribution.features[place] if known and attribution.features else f"{attribution.input}[{where}]"
            found.append((float(flat[place]), name))
    found.sort(key=lambda each: -abs(each[0]))
    most = max((abs(value) for value, _ in found), default=0.0) or 1.0
    return "".join(_bar(value, name, most) for value, name in found[:FEATURES])


def _bar(value: float, name: str, most: float) -> str:
    width = round(_WIDTH * abs(value) / most) if abs(value) <= most else 0
    bar = f'<span style="{_BAR}{RAISES if value > 0 else LOWERS};width:{width}px"></span>'
    return f'<div><span style="{_TRACK}">{bar}</span>{escape(name)} {value:+.4g}</div>'
