"""How the output follows features: the mean over the rows (partial dependence), or a line for each row (ICE)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explainery.figures import theme, words
from explainery.figures.colours import ANCHORS, INK, RAISES
from explainery.figures.figure import Figure
from explainery.figures.subject import Subject

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME, TITLE = "curves", "The output as one feature, or two, take value after value: partial dependence or ICE"
TIMES = " \N{MULTIPLICATION SIGN} "
MOST_PANELS, ACROSS = 9, 3
MOST_ROWS = 60
MOST_OUTPUTS = 6
SIDE, HEIGHT = 210, 150
HUES = (RAISES, "#B2511D", "#4D7F3A", "#7A4F9A", "#9A8420", "#777777")


@dataclass(frozen=True, eq=False)
class Curve:
    """One or two features with their grids; `values`: [lines, *grid]. `names`: of the lines."""

    features: tuple[str, ...]
    grids: tuple[tuple[float, ...], ...]
    labels: tuple[tuple[str, ...] | None, ...]
    values: NDArray[Any]
    names: tuple[str, ...]

    def tick(self, axis: int, place: int) -> str:
        """A value of the grid, or the category it stands for."""
        labels, value = self.labels[axis], self.grids[axis][place]
        known = labels is not None and 0 <= round(value) < len(labels)
        return str(labels[round(value)]) if labels is not None and known else words.number(value)

    @property
    def range(self) -> float:
        """How far its mean line goes."""
        mean = self.values.mean(axis=0)
        return float(mean.max() - mean.min())


def unfit(subject: Subject) -> str | None:
    """Say why the kind does not fit, None when it does."""
    return None if _curves(subject) else "it needs the curves of partial_dependence or ice"


def draw(subject: Subject) -> Figure:
    """Draw the curves along which the mean moves most."""
    curves = _curves(subject)
    each_row = subject.method == "ice"
    most = sorted(curves, key=lambda curve: -curve.range)
    reading = _reading(subject, most[0], each_row=each_row)
    title = f"{subject.model}: {'each row' if each_row else 'mean output'} along {_along(curves)}"
    notes = [f"Drawn are the {MOST_PANELS} of {len(curves)} curves that move most."] if len(curves) > MOST_PANELS else []
    if each_row:
        notes.append("Thin lines are single rows, the thick one is their mean.")
        if len(curves[0].values) > MOST_ROWS:
            notes.append(f"Drawn are {MOST_ROWS} of {len(curves[0].values)} rows, evenly from first to last.")
    shown = most[:MOST_PANELS]
    ends = _ends([curve for curve in shown if len(curve.grids) == 1])
    panels = [_panel(subject, curve, ends, place, each_row=each_row) for place, curve in enumerate(shown)]
    colour = "independent" if any(len(curve.grids) == 2 for curve in shown) else "shared"  # lines have one legend for all
    body = {"concat": panels, "columns": ACROSS, "spacing": 22, "resolve": {"scale": {"color": colour}}}
    spec = theme.framed(title, reading, (SIDE + 70) * min(ACROSS, len(panels)) + 40, body)
    rows = tuple(row for curve in curves for row in _rows(curve, each_row=each_row))
    return Figure(NAME, title, reading, ("line", "features", "at", "output"), rows, spec, notes=(*notes, *subject.notes))


def _curves(subject: Subject) -> list[Curve]:
    report, maps = subject.report or {}, {entry.name: entry for entry in subject.maps}
    made = []
    for told in report.get("curves") or ():
        entry = maps.get(told.get("map"))
        grids = tuple(tuple(float(value) for value in grid) for grid in told["grids"])
        if entry is None or entry.values.shape[1:] != tuple(map(len, grids)):
            continue
        labels = told.get("labels") or [None] * len(grids)
        named = tuple(tuple(map(str, each)) if each else None for each in labels)
        made.append(Curve(tuple(map(str, told["features"])), grids, named, entry.values, _names(report, entry)))
    return made


def _names(report: Mapping[str, Any], entry: Any) -> tuple[str, ...]:
    """What the lines of a map are: rows, or outputs."""
    count = len(entry.values)
    if entry.axes[0] == "row":
        return tuple(f"row {number}" for number in range(count))
    labels = report.get("labels") or report.get("indices") or range(count)
    return tuple(str(each) for each in labels) if count > 1 or report.get("labels") else (str(report.get("output", "output")),)


def _reading(subject: Subject, curve: Curve, *, each_row: bool) -> str:
    import numpy as np

    widest = int(np.ptp(curve.values.reshape(len(curve.values), -1), axis=1).argmax())
    mean = curve.values.mean(axis=0) if each_row else curve.values[widest]
    which = "" if each_row or len(curve.values) == 1 else f" \u201c{words.short(curve.names[widest], 40)}\u201d"
    low, high = (np.unravel_index(place, mean.shape) for place in (int(mean.argmin()), int(mean.argmax())))
    units = [words.feature_unit(subject, name) for name in curve.features]
    ticks = [[curve.tick(axis, int(at)) for axis, at in enumerate(place)] for place in (low, high)]
    where = [" and ".join(f"{tick} {unit}".strip() for tick, unit in zip(each, units, strict=True)) for each in ticks]
    along = words.listed([words.short(name, 40) for name in curve.features])
    rows = f"Over {(subject.report or {}).get('rows', '?')} rows the mean output{which}"
    return (
        f"{rows} moves most along {along}: from {words.amount(subject, float(mean[low]))} at {where[0]} "
        f"to {words.amount(subject, float(mean[high]))} at {where[1]}."
    )


def _ends(curves: list[Curve]) -> list[float]:
    """From where to where the output's axis goes, the same for all lines: how far they move is to be compared."""
    if not curves:
        return [0.0, 1.0]
    low, high = min(float(curve.values.min()) for curve in curves), max(float(curve.values.max()) for curve in curves)
    room = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    return [low - room, high + room]


def _along(curves: list[Curve]) -> str:
    """What the curves follow, by name where the names fit a title."""
    names = words.listed([TIMES.join(curve.features) for curve in curves])
    return names if len(names) <= words.MOST_LETTERS or len(curves) == 1 else f"{len(curves)} features"


def _panel(subject: Subject, curve: Curve, ends: list[float], place: int, *, each_row: bool) -> dict[str, Any]:
    """One curve. The first of each line says what the output is."""
    if len(curve.grids) == 2:
        return _surface(subject, curve)
    return _lines(subject, curve, ends, None if place % ACROSS else words.measure(subject), each_row=each_row)


def _title(subject: Subject, curve: Curve, axis: int) -> str:
    return words.with_unit(subject, curve.features[axis], 28)


def _lines(subject: Subject, curve: Curve, ends: list[float], output: str | None, *, each_row: bool) -> dict[str, Any]:
    """One feature: a line per row with their mean, or a line per output."""
    import numpy as np

    data, said = [], {"field": "said", "type": "nominal"}
    chosen = np.unique(np.linspace(0, len(curve.values) - 1, min(len(curve.values), MOST_ROWS if each_row else MOST_OUTPUTS)))
    for line in chosen.round().astype(int).tolist():
        data += _points(curve, curve.names[line], curve.values[line], "line")
    if each_row:
        data += _points(curve, "mean", curve.values.mean(axis=0), "mean")
    categories = curve.labels[0] is not None
    x: dict[str, Any] = {
        "field": "at",
        "type": "quantitative",
        "scale": {"zero": False, "nice": False},
        "title": _title(subject, curve, 0),
    }
    if categories:
        x = {"field": "tick", "type": "nominal", "sort": None, "title": _title(subject, curve, 0), "axis": {"labelAngle": 0}}
    else:
        x["axis"] = {"tickCount": 4, "labelFlush": True, "labelOverlap": True}
    y = {
        "field": "output",
        "type": "quantitative",
        "scale": {"domain": ends, "nice": False},
        "title": output,
        "axis": {"tickCount": 4},
    }
    same = {"x": x, "y": y, "detail": {"field": "line", "type": "nominal"}, "description": said}
    layers: list[dict[str, Any]] = []
    if each_row:
        layers.append(_layer("line", same, {"color": "#8fb0c4", "strokeWidth": 0.8, "opacity": 0.7}))
        layers.append(_layer("mean", same, {"color": INK, "strokeWidth": 2.5, "point": {"size": 18, "color": INK}}))
    elif len(curve.values) == 1:
        layers.append(_layer("line", same, {"color": RAISES, "strokeWidth": 2, "point": {"size": 22, "color": RAISES}}))
    else:
        names = list(dict.fromkeys(str(entry["line"]) for entry in data))
        scale = {"domain": names, "range": list(HUES[: len(names)])}
        colour = {"field": "line", "type": "nominal", "scale": scale, "legend": {"title": None, "orient": "top", "columns": 3}}
        layers.append(_layer("line", same | {"color": colour}, {"strokeWidth": 2, "point": {"size": 18}}))
    return {"width": SIDE, "height": HEIGHT, "data": theme.values(data), "layer": layers}


def _layer(which: str, encoding: dict[str, Any], mark: dict[str, Any]) -> dict[str, Any]:
    return {"transform": [{"filter": f"datum.of === '{which}'"}], "mark": {"type": "line", **mark}, "encoding": encoding}


def _points(curve: Curve, line: str, values: NDArray[Any], of: str) -> list[dict[str, Any]]:
    return [
        {
            "line": line, "at": at, "tick": curve.tick(0, place), "output": float(value), "of": of,
            "said": theme.said(f"{line}, {curve.features[0]} {curve.tick(0, place)}", float(value)),
        }
        for place, (at, value) in enumerate(zip(curve.grids[0], values, strict=True))
    ]  # fmt: skip


def _surface(subject: Subject, curve: Curve) -> dict[str, Any]:
    """Two features: the mean over the lines, darker where it is larger."""
    mean = curve.values.mean(axis=0)
    data = [
        {
            "x": curve.tick(0, column), "y": curve.tick(1, row), "output": float(mean[column, row]),
            "said": theme.said(f"{curve.tick(0, column)}, {curve.tick(1, row)}", float(mean[column, row])),
        }
        for column in range(mean.shape[0])
        for row in range(mean.shape[1])
    ]  # fmt: skip
    axis = {"labelOverlap": True, "labelAngle": 0, "ticks": False}
    across = [curve.tick(0, place) for place in range(mean.shape[0])]
    up = [curve.tick(1, place) for place in reversed(range(mean.shape[1]))]
    return {
        "width": SIDE, "height": HEIGHT, "data": theme.values(data), "mark": "rect",
        "encoding": {
            "x": {"field": "x", "type": "ordinal", "sort": across, "axis": axis, "title": _title(subject, curve, 0)},
            "y": {"field": "y", "type": "ordinal", "sort": up, "axis": axis, "title": _title(subject, curve, 1)},
            "color": {
                "field": "output", "type": "quantitative", "scale": {"range": list(ANCHORS[8:])},
                "legend": {"title": words.measure(subject), "orient": "right", "gradientLength": HEIGHT, "tickCount": 4},
            },
            "description": {"field": "said", "type": "nominal"},
        },
    }  # fmt: skip


def _rows(curve: Curve, *, each_row: bool) -> list[tuple[str, str, str, float]]:
    """The numbers: of every line, or of rows their mean alone."""
    import numpy as np

    lines = [("mean", curve.values.mean(axis=0))] if each_row else list(zip(curve.names, curve.values, strict=True))
    return [
        (
            name,
            TIMES.join(curve.features),
            ", ".join(curve.tick(axis, at) for axis, at in enumerate(place)),
            float(values[place]),
        )
        for name, values in lines
        for place in np.ndindex(values.shape)
    ]
