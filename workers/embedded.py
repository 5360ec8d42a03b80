"""Gradients of texts: ids have none, so the path from baseline to instance runs through the vectors of their embedding.

What is found there is summed over each token's vector, and then over the tokens of each unit that plays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import MethodUnavailable
from workers.draws import gaussian
from workers.plugins import Array, Inside, Shown
from workers.points import Row, frame_points, on_path, path_points
from workers.questions import Floats, Gradients, Internals, Noise, Probe
from workers.spread import EACH, add_spread
from workers.sums import Points, Sums, add_up, weights_of


@dataclass(frozen=True, eq=False)
class Vectors:
    """A text's embedding. `instance`: [1, tokens, ...]; `baselines`: [B, tokens, ...]; on the device. `span`: max - min."""

    instance: Array
    baselines: Array
    span: float
    precision: np.dtype[Any]


@dataclass(frozen=True, eq=False)
class Walk:
    """Points of a slice: inputs as they are called, the other inputs' baselines, and the vectors of the text."""

    inputs: dict[str, Array]
    around: dict[str, Array]
    start: Array | None
    """None where the points are the instance itself."""
    baselines: Array | None
    """The baselines' vectors; None where they were not looked up."""


def between(question: Gradients | Internals) -> bool:
    """Whether a question's points are anywhere but at the instance and its baselines."""
    return bool(((question.alphas != 0) & (question.alphas != 1)).any())


def needs_vectors(row: Row, question: Internals) -> bool:
    """Whether a question about the inside has to do with the vectors of a row's text."""
    return bool(row.text) and question.path is None and (question.probe.inputs or between(question))


def probe_inside(row: Row, question: Internals) -> Probe:
    """A question's probe, which looks at the text's vectors, too. Raises MethodUnavailable where that is not possible."""
    probe = question.probe
    if row.embedding is None:
        raise MethodUnavailable(f"The text {row.text} has no known embedding to take gradients at; name it in the card.")
    if probe.of == "attention" or (between(question) and probe.rules is not None) or probe.start is not None:
        raise MethodUnavailable(f"This cannot be asked of the text {row.text}; use a method that asks for gradients or values.")
    if not probe.inputs:
        return replace(probe, start=row.embedding)
    layers = probe.layers if row.embedding in probe.layers else (*probe.layers, row.embedding)
    return replace(probe, layers=layers, gradients=True, start=row.embedding if between(question) else None)


def of_method(seen: Shown, probe: Probe) -> Shown:
    """What was shown without what was only looked at for the text's sake."""
    asked = probe.layers if probe.gradients or probe.steps else ()
    return replace(
        seen,
        activations={name: part for name, part in seen.activations.items() if name in probe.layers},
        gradients={name: part for name, part in seen.gradients.items() if name in asked},
    )


def probe_of(rows: Sequence[Row]) -> Probe:
    """What is asked at the points."""
    layer = str(rows[0].embedding)
    return Probe(layers=(layer,), gradients=True, start=layer, inputs=bool(_smooth(rows[0])))


def embed(inside: Inside, rows: Sequence[Row]) -> None:
    """Look the vectors up of rows that have none yet: one call, whose rows are of one shape."""
    rows = [row for row in dict.fromkeys(rows) if row.vectors is None]
    if not rows:
        return
    model, layer = rows[0].model, str(rows[0].embedding)
    frames = [frame_points(row, 0, 1 + row.backgrounds) for row in rows]
    joined = {name: model.xp.concatenate([frame[name] for frame in frames]) for name in frames[0]}
    count = len(next(iter(joined.values())))
    found = inside.internals(joined, np.zeros(count, np.int64), Probe(layers=(layer,), activations=True)).activations[layer]
    begin = 0
    for row in rows:
        instance, around = found[begin : begin + 1], found[begin + 1 : begin + 1 + row.backgrounds]
        begin += 1 + row.backgrounds
        span = float(instance.max()) - float(instance.min())
        row.vectors = Vectors(instance, around, span, np.dtype(str(found.dtype).removeprefix("torch.")))


def standing(row: Row, question: Internals, points: Points) -> Walk:
    """Points that are the instance or a baseline itself: the text's ids are called as they are."""
    inputs, around = path_points(row, question, points.start, points.stop)
    order = np.arange(points.start, points.stop) % row.backgrounds
    return Walk(inputs, around, None, None if row.vectors is None else _vectors(row).baselines[row.model.place(order)])


def walk(row: Row, question: Gradients | Internals, points: Points) -> Walk:
    """Points b + alpha (x - b) + noise of evaluations `points.start` to `points.stop`; ids and masks stay the instance's."""
    vectors = _vectors(row)
    at, chosen = on_path(row, question, points.start, points.stop)
    alphas = question.alphas[at]
    baselines = vectors.baselines[row.model.place(chosen)]
    start = _each(row, alphas) * vectors.instance + _each(row, 1 - alphas) * baselines
    if isinstance(question, Gradients) and question.noise is not None:
        start = start + _noise(row, question.noise, at)
    inputs, around = path_points(row, question, points.start, points.stop)
    here = row.model.place(np.zeros(len(at), dtype=np.int64))
    inputs |= {name: array[here] for name, array in row.instance.items() if name not in _smooth(row)}
    return Walk(inputs, around, start, baselines)


def add_up_embedded(
    sums: Sums, row: Row, question: Gradients | Internals, points: Points, seen: Shown, rows: slice, at: Walk
) -> None:
    """Add weight * factor * gradient of each point: per token of the text, per element of other inputs."""
    vectors = _vectors(row)
    weighted = seen.gradients[str(row.embedding)][rows] * _each(row, weights_of(row, question, points))
    if question.factor == "difference" and at.baselines is not None:
        weighted = weighted * (vectors.instance - at.baselines)
    total = weighted.sum(0)
    if question.factor == "instance":
        total = total * vectors.instance[0]
    sums.add("inputs", row.text, total.reshape(len(total), -1).sum(1))
    others = {name: seen.inputs[name][rows] for name in _smooth(row)}
    if isinstance(question, Gradients) and question.variances:
        gradients = seen.gradients[str(row.embedding)][rows]
        sums.keep(EACH, row.text, gradients.reshape(*gradients.shape[:2], -1).sum(2))
        add_spread(sums, row, question, points, others)
    add_up(sums, row, question, points, others, at.around)


def per_unit(row: Row, sums: dict[str, Floats]) -> dict[str, Floats]:
    """Sums per token as sums per unit; those of tokens that never play are left out."""
    texts = row.partition.texts
    return {name: texts[name].summed(found) if name in texts else found for name, found in sums.items()}


def _smooth(row: Row) -> list[str]:
    """The inputs that have a gradient themselves: floats that play."""
    labels = row.partition.labels
    return [name for name, kind in row.precision.items() if kind.kind == "f" and (labels[name] >= 0).any()]


def _vectors(row: Row) -> Vectors:
    if not isinstance(row.vectors, Vectors):
        raise TypeError("a text's vectors are looked up before its points are built")
    return row.vectors


def _each(row: Row, values: NDArray[np.float64]) -> Array:
    """Values [points] on the device, shaped to multiply vectors, in their precision or single, whichever is more."""
    vectors = _vectors(row)
    precision = np.result_type(vectors.precision, np.float32)
    return row.model.place(values.astype(precision).reshape(-1, *([1] * (vectors.instance.ndim - 1))))


def _noise(row: Row, noise: Noise, draws: NDArray[np.int64]) -> Array:
    vectors = _vectors(row)
    shape = tuple(vectors.instance.shape[1:])
    drawn = np.stack([gaussian(noise.seed, f"noise/{row.text}", noise.first + int(draw), shape) for draw in draws])
    return row.model.place((drawn * (noise.scale * vectors.span)).astype(vectors.precision))
