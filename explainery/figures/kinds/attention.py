"""Attention: how much each head looks at each token, or with `head` what each token of one head looks at."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from explainery.contract.errors import RequestRefused
from explainery.figures import theme, words
from explainery.figures.figure import Figure
from explainery.figures.subject import Map, Subject

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME, TITLE = "attention", "Attention weights of a layer, heads by tokens; with head=N one head, tokens by tokens"
AXES = ("head", "query", "key")
MOST_TOKENS = 48
MOST_HEADS = 32
MOST_ROWS = 500
CELL, LEAST = 22, 220


def unfit(subject: Subject) -> str | None:
    """Say why the kind does not fit, None when it does."""
    return None if _maps(subject) else "it needs a map of attention weights, with the axes head, query and key"


def draw(subject: Subject) -> Figure:
    """Draw the first layer's weights. Raises RequestRefused for a head that it does not have."""
    found = _maps(subject)[0]
    weights, names = found.values, _tokens(subject, found.values.shape[2])
    head = subject.head if subject.head is not None else 0 if len(weights) == 1 else None
    if head is not None and head >= len(weights):
        message = f"must be below {len(weights)}, the number of heads"
        raise RequestRefused(f"head {message}", [{"loc": "head", "msg": message}])
    if head is not None and weights.shape[1] == weights.shape[2]:
        table, lines, what = weights[head], names, f"head {head}"
    else:
        table, lines, what = weights.mean(axis=1), [f"head {place}" for place in range(len(weights))], "the heads"
    where = found.layer or found.name
    reading = _reading(table, lines, names, where, per_head=lines is not names)
    title = f"{subject.model}, row {subject.row}: attention of {what} in {words.short(where, 40)}"
    rows_shown, columns_shown = (
        _shown(table, MOST_HEADS if lines is not names else MOST_TOKENS, axis=1),
        _shown(table, MOST_TOKENS, axis=0),
    )
    notes = ["Each head's weight is the mean over all queries."] if lines is not names else []
    if len(columns_shown) < len(names):
        notes.append(f"Drawn are the {len(columns_shown)} of {len(names)} tokens that are looked at most.")
    if len(rows_shown) < len(lines):
        notes.append(f"Drawn are {len(rows_shown)} of {len(lines)} lines.")
    chart = _chart(table, lines, names, rows_shown, columns_shown, per_head=lines is not names)
    spec = theme.framed(title, reading, max(560, chart["width"] + 120), chart)
    return Figure(
        NAME, title, reading, ("from", "to", "weight"), _rows(table, lines, names), spec, notes=(*notes, *subject.notes)
    )


def _maps(subject: Subject) -> list[Map]:
    """Everything with weights as [head, query, key]: windows are averaged, what is over all heads is of one."""
    found = []
    for entry in subject.maps:
        extra = len(entry.axes) - len(AXES)
        if entry.values.ndim != len(entry.axes) or not entry.values.size:
            continue
        if entry.axes[-3:] == AXES:
            found.append(replace(entry, values=entry.values.mean(axis=tuple(range(extra)))))
        elif entry.axes == AXES[1:]:
            found.append(replace(entry, values=entry.values[None]))
    return found


def _tokens(subject: Subject, count: int) -> list[str]:
    """The tokens by name, where an attribution has as many of them; else their places."""
    named = next((piece.features for piece in subject.pieces if piece.features and len(piece.features) == count), None)
    if named is None:
        return [f"token {place}" for place in range(count)]
    return [f"{place} {words.short(name, 24)}" for place, name in enumerate(named)]


def _reading(table: NDArray[Any], lines: list[str], names: list[str], where: str, *, per_head: bool) -> str:
    import numpy as np

    line, column = np.unravel_index(int(table.argmax()), table.shape)
    strongest = (
        f"{_quoted(lines[line], not per_head)} looks at {_quoted(names[column])} ({words.number(float(table[line, column]))})"
    )
    mean = table.mean(axis=0)
    most = int(mean.argmax())
    over = "over all heads" if per_head else "over all tokens"
    seen = f"{over} {_quoted(names[most])} is looked at most ({words.number(float(mean[most]))})"
    return f"In {words.short(where)}, the largest weight is where {strongest}; {seen}."


def _quoted(name: str, wanted: bool = True) -> str:
    return f"\u201c{name}\u201d" if wanted else name


def _shown(table: NDArray[Any], most: int, axis: int) -> list[int]:
    """Places of the largest lines or columns, in their own order."""
    import numpy as np

    return sorted(np.argsort(-table.mean(axis=axis), kind="stable")[:most].tolist())


def _rows(table: NDArray[Any], lines: list[str], names: list[str]) -> tuple[tuple[str, str, float], ...]:
    import numpy as np

    order = np.argsort(-table.reshape(-1), kind="stable")[:MOST_ROWS].tolist()
    places = [divmod(place, table.shape[1]) for place in order]
    return tuple((lines[line], names[column], float(table[line, column])) for line, column in places)


def _chart(
    table: NDArray[Any], lines: list[str], names: list[str], rows: list[int], columns: list[int], *, per_head: bool
) -> dict[str, Any]:
    data = [
        {
            "line": lines[row], "column": names[column], "weight": float(table[row, column]),
            "said": f"{lines[row]} to {names[column]}: {float(table[row, column])!r}",
        }
        for row in rows for column in columns
    ]  # fmt: skip
    legend = {"title": "attention weight", "orient": "right", "format": ".2~g", "gradientLength": 140}
    scale = {"scheme": "blues", "domain": [0, float(table.max()) or 1.0]}
    axis = {"ticks": False, "labelLimit": 150}
    x = {"field": "column", "type": "nominal", "sort": None, "axis": axis | {"title": "token looked at", "labelAngle": -50}}
    y = {"field": "line", "type": "nominal", "sort": None, "axis": axis | {"title": None if per_head else "token that looks"}}
    colour = {"field": "weight", "type": "quantitative", "scale": scale, "legend": legend}
    encoding = {"x": x, "y": y, "color": colour, "description": {"field": "said", "type": "nominal"}}
    width, height = max(LEAST, CELL * len(columns)), max(90, CELL * len(rows))
    mark = {"type": "rect", "stroke": "white", "strokeWidth": 0.5}
    return {"width": width, "height": height, "data": theme.values(data), "mark": mark, "encoding": encoding}
