"""Questions -> batches of model inputs, built on the model's device from a row, its baselines and a small description.

A row's evaluations are numbered through: evaluation e of a question is its description e // B with baseline e % B, when the row
has B baselines. Functions here take a range of evaluations, so that any chunk of any question can be built alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.draws import gaussian
from workers.game import Numbers, Partition
from workers.neighbours import Neighbours
from workers.plugins import Array, Model
from workers.questions import Floats, Gradients, Internals, Noise, Outputs, Values


@dataclass(eq=False)
class Row:
    """One row on the device. `instance`: input -> [1, *row]; `baselines`: input -> [B, *row].

    `column` is the output explained: known once the row's frame has been answered.
    """

    model: Model
    instance: dict[str, Array]
    baselines: dict[str, Array]
    partition: Partition
    span: dict[str, float]
    """max - min of each input: what noise is a share of."""
    precision: dict[str, np.dtype[Any]]
    column: int = -1
    known_baseline: Floats | None = None
    """The mean outputs [columns] at the baselines, where another row has shown them."""
    learn_baseline: Callable[[Floats], None] = lambda outputs: None
    charge: Callable[[int], None] = lambda evaluations: None
    """Counts evaluations that were known from before: what a job costs does not depend on who asked first."""
    labels: dict[str, Array | None] = field(default_factory=dict)
    """Player of each element, flat, on the device; None where players are the elements in order."""
    notes: tuple[str, ...] = ()
    """What a reader of the row's explanation should know of its input."""
    text: str = ""
    embedding: str | None = None
    """The row's text, and the layer where its gradients are taken (see `workers/embedded.py`)."""
    shares: Floats | None = None
    """What each baseline weighs in a mean over them, [B]; None: all the same."""
    neighbours: Neighbours | None = None
    """Which baselines stand for absent features, where that depends on those present."""
    vectors: Any = None
    """What that layer puts out at the instance and its baselines, once it was looked up."""

    @cached_property
    def backgrounds(self) -> int:
        """How many baselines the row has."""
        return len(next(iter(self.baselines.values())))

    def mean(self, outputs: Floats) -> Floats:
        """The mean over the baselines, [points, ...]. `outputs`: [points, B, ...]."""
        return np.asarray(np.average(outputs, axis=1, weights=self.shares))

    @property
    def shape_key(self) -> tuple[tuple[int, ...], ...]:
        """Rows of one key can share a batch."""
        return tuple(tuple(array.shape[1:]) for array in self.instance.values())


def place_row(
    model: Model,
    instance: dict[str, NDArray[Any]],
    baselines: dict[str, NDArray[Any]],
    partition: Partition,
    labels: dict[str, Array | None],
) -> Row:
    """Bring a row to the device. `instance`: input -> [*row]; `baselines`: input -> [B, *row]; `labels` from `place_labels`."""
    span = {name: float(array.max()) - float(array.min()) for name, array in instance.items()}
    precision = {name: array.dtype for name, array in instance.items()}
    placed = {name: model.place(array[None]) for name, array in instance.items()}
    around = {name: model.place(array) for name, array in baselines.items()}
    return Row(model, placed, around, partition, span, precision, labels=labels)


def numbers_of(row: Row) -> Numbers:
    """The row off the device."""
    instance = {name: row.model.fetch(array)[0] for name, array in row.instance.items()}
    return Numbers(instance, {name: row.model.fetch(array) for name, array in row.baselines.items()})


def place_labels(model: Model, partition: Partition) -> dict[str, Array | None]:
    """The partition's labels on the device, once for all rows of a job."""
    placed: dict[str, Array | None] = {}
    for name, labels in partition.labels.items():
        start = partition.of_input(name).start
        plain = np.array_equal(labels.reshape(-1), np.arange(start, start + labels.size))
        # what never plays is its own baseline: with any player it is the same
        placed[name] = None if plain else model.place(np.maximum(labels.reshape(-1), 0))
    return placed


def frame_points(row: Row, start: int, stop: int, *, instance: bool = True, baseline: bool = True) -> dict[str, Array]:
    """Evaluation 0 is the instance, 1 .. B its baselines; either may be left out."""
    sides = [row.instance] * instance + [row.baselines] * baseline
    both = {name: row.model.xp.concatenate([side[name] for side in sides]) for name in row.instance}
    return {name: array[start:stop] for name, array in both.items()}


def own_points(row: Row, points: Mapping[str, NDArray[Any]], start: int, stop: int) -> dict[str, Array]:
    """Points that a method has made itself, input -> [points, *row], in the row's precision."""
    return {name: row.model.place(points[name][start:stop].astype(row.precision[name])) for name in row.instance}


def coalition_points(row: Row, question: Values, masks: Array, start: int, stop: int) -> dict[str, Array]:
    """Present players keep the instance's value, absent ones the baseline's, and those present in part a mixture.

    `masks`: the coalitions, bool or float [coalitions, players], on the device.
    """
    count = baselines_in(row, question)
    if row.neighbours is not None:
        order = np.arange(start, stop)
        first = start // count
        nearest = row.neighbours.of(question.coalitions[first : (stop - 1) // count + 1])
        chosen, which = masks[row.model.place(order // count)], row.model.place(nearest[order // count - first, order % count])
    elif count == 1:
        chosen, which = masks[start:stop], slice(0, 1)
    else:
        order = np.arange(start, stop)
        chosen, which = masks[row.model.place(order // count)], row.model.place(order % count)
    points: dict[str, Array] = {}
    for name, x in row.instance.items():
        labels = row.labels[name]
        present = chosen[:, row.partition.of_input(name)] if labels is None else chosen[:, labels]
        present = present.reshape(stop - start, *x.shape[1:])
        points[name] = _mixed(row, name, present, row.baselines[name][which])
    return points


def _mixed(row: Row, name: str, present: Array, baseline: Array) -> Array:
    """The instance where present is true, the baseline elsewhere; for shares, so much of each (whole numbers: the larger)."""
    x = row.instance[name]
    if "bool" in str(present.dtype):
        return row.model.xp.where(present, x, baseline)
    if row.precision[name].kind != "f":
        return row.model.xp.where(present >= 0.5, x, baseline)
    return row.model.xp.asarray(present * x + (1 - present) * baseline, dtype=x.dtype)


def baselines_in(row: Row, question: Any) -> int:
    """How many evaluations a point of a question takes: one per baseline, where it does not choose one or do without."""
    made = isinstance(question, (Gradients, Internals)) and question.points is not None
    own = made or isinstance(question, Outputs)
    chosen = isinstance(question, Gradients) and question.baselines is not None
    if row.neighbours is not None and isinstance(question, Values):
        return row.neighbours.count
    return 1 if own or chosen else row.backgrounds


def on_path(row: Row, question: Gradients | Internals, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The point and the baseline of evaluations `start` to `stop`, by their numbers."""
    order = np.arange(start, stop)
    if isinstance(question, Gradients) and question.baselines is not None:
        return order, question.baselines[order]
    return order // row.backgrounds, order % row.backgrounds


def path_points(row: Row, question: Gradients | Internals, start: int, stop: int) -> tuple[dict[str, Array], dict[str, Array]]:
    """Points b + alpha (x - b) + noise, and the baseline of each point.

    Written alpha x + (1 - alpha) b, which is x itself where alpha is 1, however far the baseline is.
    """
    if isinstance(question, Gradients) and question.points is not None:
        given = own_points(row, question.points, start, stop)
        return given, given
    if start == 0 and stop == 1 and row.backgrounds == 1 and isinstance(question, Internals) and question.alphas[0] == 1.0:
        return dict(row.instance), dict(row.baselines)
    at, chosen = on_path(row, question, start, stop)
    which = row.model.place(chosen)
    alphas = question.alphas[at]
    points: dict[str, Array] = {}
    used: dict[str, Array] = {}
    for name, x in row.instance.items():
        b = used[name] = row.baselines[name][which]
        points[name] = per_point(row, name, alphas) * x + per_point(row, name, 1 - alphas) * b
        if isinstance(question, Gradients) and question.noise is not None:
            points[name] = points[name] + _noise(row, question.noise, name, at)
    return points, used


def per_point(row: Row, name: str, values: NDArray[np.float64], least: type[np.floating[Any]] | None = None) -> Array:
    """Values [points] on the device, shaped to multiply points of input `name`, in its precision or `least` if that is more."""
    axes = row.instance[name].ndim - 1
    precision = row.precision[name] if least is None else np.result_type(row.precision[name], least)
    return row.model.place(values.astype(precision).reshape(-1, *([1] * axes)))


def _noise(row: Row, noise: Noise, name: str, draws: NDArray[np.int64]) -> Array:
    shape = tuple(row.instance[name].shape[1:])
    drawn = np.stack([gaussian(noise.seed, f"noise/{name}", noise.first + int(draw), shape) for draw in draws])
    return row.model.place((drawn * (noise.scale * row.span[name])).astype(row.precision[name]))
