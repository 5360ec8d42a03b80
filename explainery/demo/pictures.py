"""The demo's pictures: heat maps over digits, and waterfalls from the baseline to the output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from explainery.demo import words
from explainery.demo.answers import Told

SIGNED = "RdBu"
"""Red away from the prediction, blue towards it: told apart with every common colour blindness."""
TOWARDS, AWAY, STILL = "#2166ac", "#b2182b", "#444444"
MOST_BARS = 10


def heat_map(told: Told, target: Path) -> Path:
    """Each digit beside every method's signed attribution. A panel's colours span its own largest attribution."""
    rows, columns = len(told.rows), 1 + len(told.answers)
    figure = _figure(2.3 * columns + 0.6, 2.3 * rows + 1.2)
    grid = figure.subplots(rows, columns, squeeze=False)
    drawn: Any = None
    for row in range(rows):
        _digit(grid[row][0], told, row)
        for column, answer in enumerate(told.answers, start=1):
            values = answer.attributions[row].reshape(told.rows.shape[-2:])
            most = float(np.abs(values).max()) or 1.0
            drawn = grid[row][column].imshow(values / most, cmap=SIGNED, vmin=-1, vmax=1)
            _outline(grid[row][column], told, row)
            grid[row][column].set_title(answer.asked.method.replace("_", " ") if row == 0 else "", fontsize=10)
    for axes in grid.flat:
        axes.set_xticks([])
        axes.set_yticks([])
    bar = figure.colorbar(drawn, ax=grid[:, 1:].ravel().tolist(), location="bottom", shrink=0.6, aspect=40, pad=0.03)
    bar.set_ticks([-1, 0, 1], labels=["away from the\npredicted digit", "no part", "towards the\npredicted digit"])
    bar.ax.tick_params(labelsize=9)
    figure.suptitle(f"{told.name}: why this digit?", fontsize=13)
    return _save(figure, target)


def waterfall(told: Told, target: Path) -> Path:
    """The first row's way from the baseline's output to its own, feature by feature."""
    names, amounts = _steps(told)
    result = told.answers[0].result
    start = float(result.baseline_output[0])
    ends = start + np.cumsum(amounts)
    figure = _figure(9.5, 1.8 + 0.42 * (len(names) + 2))
    axes = figure.add_subplot()
    _bars(axes, told, start, amounts)
    axes.set_yticks(range(len(names) + 2), [_anchor(told, "baseline", start), *names, _anchor(told, "output", float(ends[-1]))])
    axes.invert_yaxis()
    _room(axes, np.concatenate([[start], ends]))
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0, labelsize=9.5)
    axes.grid(axis="x", color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    _scale(axes, told)
    figure.suptitle(f"{told.name}: from the baseline to this row's output ({told.answers[0].asked.method})", fontsize=12)
    return _save(figure, target)


def _figure(width: float, height: float) -> Figure:
    """A figure of its own: pyplot's global state is not touched."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Figure, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=130, bbox_inches="tight", pad_inches=0.15)
    return target


def _digit(axes: Axes, told: Told, row: int) -> None:
    axes.imshow(told.rows[row].reshape(told.rows.shape[-2:]), cmap="gray_r", vmin=0, vmax=1)
    chance = "" if told.probabilities is None else f" ({told.probabilities[row]:.1%})"
    axes.set_title(f"predicted {told.label(row)}{chance}\ntruth {told.truth(row)}", fontsize=10)


def _outline(axes: Axes, told: Told, row: int) -> None:
    """Where the ink is, so that the eye finds the digit under the colours."""
    axes.contour(told.rows[row].reshape(told.rows.shape[-2:]), levels=[0.5], colors=STILL, linewidths=1.0)


def _steps(told: Told) -> tuple[list[str], list[float]]:
    """Names with values, and amounts: the largest first, the small rest as one."""
    spec, amounts = told.card.inputs[0], told.answers[0].attributions[0]
    order = np.argsort(-np.abs(amounts))
    shown = order if len(order) <= MOST_BARS else order[: MOST_BARS - 1]
    names = [f"{words.feature(spec, int(element))} = {words.value(spec, told.rows[0], int(element))}" for element in shown]
    steps = [float(amounts[element]) for element in shown]
    if len(shown) < len(order):
        names.append(f"the other {len(order) - len(shown)} features")
        steps.append(float(amounts[order[len(shown) :]].sum()))
    return names, steps


def _bars(axes: Axes, told: Told, start: float, amounts: list[float]) -> None:
    """Anchors as dots, steps as bars that begin where the one before ended."""
    here = start
    axes.plot([start], [0], "o", color=STILL)
    for place, amount in enumerate(amounts, start=1):
        axes.barh(place, amount, left=here, color=TOWARDS if amount >= 0 else AWAY, height=0.62)
        axes.plot([here, here], [place - 1, place + 0.31], color=STILL, linewidth=0.8)
        here += amount
        right = amount >= 0
        text = words.amount(told.card, amount)
        axes.annotate(
            text, (here, place), (4 if right else -4, 0), textcoords="offset points",
            ha="left" if right else "right", va="center", fontsize=9,
        )  # fmt: skip
    axes.plot([here, here], [len(amounts), len(amounts) + 1], color=STILL, linewidth=0.8)
    axes.plot([here], [len(amounts) + 1], "o", color=STILL)


def _scale(axes: Axes, told: Told) -> None:
    """Name the axis; probabilities in per cent."""
    spec, label = told.card.score_output, told.label(0)
    name = f"{words.quantity(told.card)} ({spec.unit})" if spec.unit else words.quantity(told.card)
    if spec.kind == "probabilities":
        axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    axes.set_xlabel(f"{name} of {label}" if label else name)
    colours = {"raises the output": TOWARDS, "lowers it": AWAY}
    handles = [Patch(color=colour, label=text) for text, colour in colours.items()]
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 1.06), ncols=2, frameon=False, fontsize=9)


def _room(axes: Axes, points: Any) -> None:
    """Leave room beside the outermost bars for their numbers."""
    low, high = float(np.min(points)), float(np.max(points))
    margin = 0.16 * ((high - low) or 1.0)
    axes.set_xlim(low - margin, high + margin)


def _anchor(told: Told, what: str, number: float) -> str:
    return f"{what}: {words.output(told.card, number)}"
