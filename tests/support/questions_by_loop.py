"""Questions answered one evaluation at a time, in float64 NumPy: what the engine's chunks must come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.answering import Answering, Tally
from workers.batching import Pending, Slice
from workers.draws import gaussian
from workers.game import Partition
from workers.points import Row, place_labels, place_row
from workers.questions import GradientAnswer, Gradients, Outputs, Values

Arrays = dict[str, NDArray[Any]]


@dataclass
class Formula:
    """A model of two inputs and two outputs with a known gradient; counts its calls."""

    xp: Any = np
    environment: dict[str, str | None] = field(default_factory=dict)
    calls: list[int] = field(default_factory=list)

    def place(self, array: NDArray[Any]) -> NDArray[Any]:
        return array

    def fetch(self, array: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(array, dtype=np.float64)

    def forward(self, inputs: Arrays) -> NDArray[Any]:
        self.calls.append(len(inputs["a"]))
        return self.outputs(inputs)

    def outputs(self, inputs: Arrays) -> NDArray[Any]:
        s, c = np.sin(inputs["a"]).sum(axis=1), np.cos(inputs["b"]).sum(axis=(1, 2))
        return np.stack([s * c, s + 2 * c], axis=1)

    def gradients(self, inputs: Arrays, columns: NDArray[np.int64]) -> tuple[NDArray[Any], Arrays]:
        self.calls.append(len(columns))
        s, c = np.sin(inputs["a"]).sum(axis=1), np.cos(inputs["b"]).sum(axis=(1, 2))
        to_s, to_c = np.where(columns == 0, c, 1.0), np.where(columns == 0, s, 2.0)
        gradients = {"a": np.cos(inputs["a"]) * to_s[:, None], "b": -np.sin(inputs["b"]) * to_c[:, None, None]}
        return self.outputs(inputs)[np.arange(len(columns)), columns], gradients


def make_row(model: Any, partition: Partition, seed: int, backgrounds: int, column: int = 0, dtype: Any = np.float64) -> Row:
    """A row of inputs a [3] and b [2, 2], with so many baselines."""
    rng = np.random.Generator(np.random.Philox(seed))
    instance = {"a": rng.normal(size=3).astype(dtype), "b": rng.normal(size=(2, 2)).astype(dtype)}
    around = {"a": rng.normal(size=(backgrounds, 3)).astype(dtype), "b": rng.normal(size=(backgrounds, 2, 2)).astype(dtype)}
    row = place_row(model, instance, around, partition, place_labels(model, partition))
    row.column = column
    return row


def values(model: Formula, row: Row, question: Values) -> NDArray[np.float64]:
    """The mean over the baselines of f at each coalition."""
    answers = []
    for coalition in question.coalitions:
        total = 0.0
        for which in range(row.backgrounds):
            point = {}
            for name, labels in row.partition.labels.items():
                mixed = row.baselines[name][which].copy()
                for element in np.ndindex(*labels.shape):
                    if coalition[labels[element]]:
                        mixed[element] = row.instance[name][0][element]
                point[name] = mixed[None]
            total += float(model.outputs(point)[0, row.column])
        answers.append(total / row.backgrounds)
    return np.array(answers)


def outputs(model: Formula, question: Outputs) -> NDArray[np.float64]:
    """All columns at each point."""
    points = range(question.evaluations)
    return np.concatenate([model.outputs({name: array[n : n + 1] for name, array in question.points.items()}) for n in points])


def gradients(model: Any, row: Row, question: Gradients) -> GradientAnswer:
    """The sum over points, and mean over baselines, of weight * factor * gradient."""
    sums = {name: np.zeros(array.shape[1:]) for name, array in row.instance.items()}
    outputs = np.zeros(len(question.alphas))
    for point, (alpha, weight) in enumerate(zip(question.alphas, question.weights, strict=True)):
        for which in range(row.backgrounds):
            at, factor = {}, {}
            for name, x in ((name, array[0].astype(float)) for name, array in row.instance.items()):
                b = row.baselines[name][which].astype(float)
                at[name] = (b + alpha * (x - b))[None]
                if question.noise is not None:
                    spread = question.noise.scale * (x.max() - x.min())
                    draw = gaussian(question.noise.seed, f"noise/{name}", question.noise.first + point, x.shape)
                    at[name] = at[name] + spread * draw
                factor[name] = {"one": np.ones_like(x), "instance": x, "difference": x - b}[question.factor]
            f, slopes = Formula().gradients(at, np.array([row.column]))
            outputs[point] += f[0] / row.backgrounds
            for name, slope in slopes.items():
                sums[name] += weight * factor[name] * slope[0] / row.backgrounds
    return GradientAnswer(sums, outputs)


def ask(model: Any, tallies: list[Tally], size: Callable[[int], int]) -> list[Any]:
    """Answer questions together in chunks of `size(n)` evaluations, each chunk from all questions in turn."""
    answering = Answering(model)
    pendings = [Pending(tally, tally.question, tally.kind, tally.evaluations, True, 0.0) for tally in tallies]
    number = 0
    while any(pending.left for pending in pendings):
        chunk, room = [], size(number)
        for pending in pendings if number % 2 else reversed(pendings):
            take = min(room, pending.left)
            if take:
                chunk.append(Slice(pending, pending.planned, pending.planned + take))
                pending.planned += take
                room -= take
        assert answering.ask(chunk) == []
        number += 1
    return [tally.answer() for tally in tallies]
