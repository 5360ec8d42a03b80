"""Questions about a model's inside -> what its runtime is asked, and what it shows -> the question's sums."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np

from explainery.contract.errors import MethodUnavailable
from workers.embedded import Walk, add_up_embedded, between, of_method, standing, walk
from workers.plugins import Array, Shown
from workers.points import Row, own_points, path_points
from workers.questions import Floats, InternalAnswer, Internals
from workers.sums import FIGURES, Points, Sums, add_up, weights_of


@dataclass(frozen=True, eq=False)
class Look:
    """The points of a slice: inputs, the baseline of each, and what the layer puts out that the probe starts at."""

    points: dict[str, Array]
    baselines: dict[str, Array]
    start: Array | None = None
    reach: Array | None = None
    """Instance minus baseline at that layer, where gradients are multiplied with it."""
    walk: Walk | None = None
    """Of a text: where it is differentiated."""


def kind_of(question: Internals) -> tuple[Hashable, ...]:
    """Questions of one kind share a call."""
    return (question.probe, question.factor, None if question.path is None else question.path.instance.shape)


def shown(row: Row, question: Internals, points: Points) -> Look:
    """Build the points of evaluations `points.start` to `points.stop`. Raises MethodUnavailable where there are none."""
    if question.points is not None:
        given = own_points(row, question.points, points.start, points.stop)
        return Look(given, given)
    if question.path is None and row.text:
        text = walk(row, question, points) if between(question) else standing(row, question, points)
        return Look(text.inputs, text.around, text.start, walk=text)
    if question.path is None:
        _check_between(row, question)
        return Look(*path_points(row, question, points.start, points.stop))
    order = np.arange(points.start, points.stop)
    which, at = order % row.backgrounds, order // row.backgrounds
    path, shape = question.path, (-1, *([1] * question.path.instance.ndim))
    alphas = question.alphas[at].reshape(shape)
    baselines = path.baselines[which % len(path.baselines)]
    start = alphas * path.instance + (1 - alphas) * baselines
    reach = path.instance - baselines if question.factor == "difference" else None
    precision = next((kind for kind in row.precision.values() if kind.kind == "f"), np.dtype(np.float32))
    here = row.model.place(np.zeros(len(order), dtype=np.int64))
    return Look(
        {name: array[here] for name, array in row.instance.items()},
        {name: array[row.model.place(which)] for name, array in row.baselines.items()},
        row.model.place(start.astype(precision)),
        None if reach is None else row.model.place(reach.astype(precision)),
    )


def add_up_inside(sums: Sums, row: Row, question: Internals, points: Points, seen: Shown, rows: slice, look: Look) -> None:
    """Add what was shown at a slice's points, `rows` of the call, to the question's sums."""
    if question.each or seen.statistics is not None:
        _keep(sums, seen, rows)
        return
    weights = weights_of(row, question, points)
    _add_layers(sums, row, question, weights, seen if look.walk is None else of_method(seen, question.probe), rows, look)
    if question.probe.steps:
        for name in question.probe.layers:
            _add_steps(sums, row, name, seen.activations[name][rows], seen.gradients[name][rows])
    if look.walk is not None:
        if question.probe.inputs:
            add_up_embedded(sums, row, question, points, seen, rows, look.walk)
        return
    add_up(sums, row, question, points, {name: part[rows] for name, part in seen.inputs.items()}, look.baselines)


def _keep(sums: Sums, seen: Shown, rows: slice) -> None:
    """Keep each point as it is: figures, or activations."""
    if seen.statistics is not None:
        sums.keep(FIGURES, "", seen.statistics[rows])
    for name, tensor in seen.activations.items():
        sums.keep("activations", name, tensor[rows])


def _add_layers(sums: Sums, row: Row, question: Internals, weights: Floats, seen: Shown, rows: slice, look: Look) -> None:
    for what, tensors in (("activations", seen.activations), ("gradients", seen.gradients)):
        for name, tensor in tensors.items():
            part = tensor[rows]
            if look.reach is not None and what == "gradients" and name == question.probe.start:
                part = part * look.reach
            sums.add(what, name, _weighted(row, part, weights))


def _check_between(row: Row, question: Internals) -> None:
    whole = [name for name, kind in row.precision.items() if kind.kind != "f"]
    if whole and between(question):
        raise MethodUnavailable(
            f"Input {whole[0]} holds whole numbers, and a path has points between them; use a method that asks for values."
        )


def answer_of(found: dict[str, dict[str, Floats]], outputs: Floats, sums: Sums, column: int) -> InternalAnswer:
    """The answer, once every point is in."""
    figures = found.get(FIGURES, {}).get("")
    return InternalAnswer(
        outputs,
        found.get("activations", {}),
        found.get("gradients", {}),
        found.get("steps", {}),
        found.get("inputs", {}),
        sums.reference,
        column,
        None if figures is None else np.atleast_2d(figures),
    )


def _weighted(row: Row, tensor: Array, weights: Floats) -> Array:
    if len(weights) == 1:
        return tensor[0] * float(weights[0])
    return (tensor * row.model.place(weights.astype(np.float32)).reshape(-1, *([1] * (tensor.ndim - 1)))).sum(0)


def _add_steps(sums: Sums, row: Row, name: str, activations: Array, gradients: Array) -> None:
    """Add the activation's change to the next point of the same baseline, times the mean gradient of the two (trapezoids)."""
    join: Any = row.model.xp.concatenate
    if name in sums.last:
        activations, gradients = (
            join([last, now]) for last, now in zip(sums.last[name], (activations, gradients), strict=True)
        )
    count = row.backgrounds
    sums.last[name] = (activations[-count:], gradients[-count:])
    if len(activations) > count:
        changes = (activations[count:] - activations[:-count]) * (gradients[count:] + gradients[:-count])
        sums.add("steps", name, changes.sum(0) / (2 * count))
