"""A job's tables as one: the columns of all inputs side by side in float64, and back to what the model is asked with."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from explainery.contract.job import JobSpec
from explainery.contract.model_card import FLOATS, InputSpec, ModelCard
from explainery.contract.tables import features_of
from explainery.contract.tensors import NUMPY_NAMES, limits
from workers.game import Partition
from workers.questions import Answer, Floats, Outputs

ReferenceOf = Literal["background", "sample", "rows"]
ENOUGH = 20
"""Rows of the card's sample from which it may stand for the data."""
MOST_NUMBERS = 2**22
"""Of the points that a job asks about at a time: 32 MiB."""

Found = TypeVar("Found")
Asking = Generator[Floats, Floats, Found]
"""A search that yields points [points, columns] and is sent their outputs [points, output columns]."""


@dataclass(frozen=True, eq=False)
class Table:
    """`rows`: the job's, float64 [rows, columns]. `reference`: rows that stand for the data, and where they are from.

    `partition`: the players that the job's `features` make.
    """

    card: ModelCard
    rows: Floats
    reference: Floats
    reference_of: ReferenceOf
    partition: Partition

    @cached_property
    def features(self) -> dict[str, tuple[InputSpec, int]]:
        """Every column by name, in order."""
        return features_of(self.card)

    @cached_property
    def place(self) -> dict[str, int]:
        """The number of each column by name."""
        return {name: number for number, name in enumerate(self.features)}

    def points(self, matrix: Floats) -> dict[str, NDArray[Any]]:
        """Points [points, columns] as the model's inputs, in the card's datatypes; whole numbers are rounded."""
        return {spec.name: held(spec, part) for spec, part in zip(self.card.inputs, self._parts(matrix), strict=True)}

    def held(self, matrix: Floats) -> Floats:
        """The values that the model sees of these, as float64."""
        return np.concatenate([array.astype(np.float64) for array in self.points(matrix).values()], axis=1)

    def ask(self, matrix: Floats) -> Outputs:
        """The question what the model answers at points [points, columns]."""
        return Outputs(self.points(matrix))

    def labels(self, column: int) -> tuple[str, ...] | None:
        """The categories of a column, where the card names them."""
        name = list(self.features)[column]
        spec, place = self.features[name]
        return spec.categories.get(spec.features[place]) if spec.features else None

    def by_input(self, row: Floats) -> dict[str, list[float]]:
        """One row [columns], a list for each input."""
        return {spec.name: part.tolist() for spec, part in zip(self.card.inputs, self._parts(row), strict=True)}

    @cached_property
    def players(self) -> dict[str, NDArray[np.int64]]:
        """The columns of each player, by its name."""
        labels = np.concatenate([self.partition.labels[spec.name] for spec in self.card.inputs])
        named = [name for spec in self.card.inputs for name in self._player_names(spec)]
        return {name: np.flatnonzero(labels == number) for number, name in enumerate(named)}

    def _player_names(self, spec: InputSpec) -> tuple[str, ...]:
        count = len(range(*self.partition.of_input(spec.name).indices(self.partition.players)))
        names = self.partition.names.get(spec.name) or tuple(f"{spec.name}[{number}]" for number in range(count))
        return names if len(self.card.inputs) == 1 else tuple(f"{spec.name}.{name}" for name in names)

    def _parts(self, matrix: Floats) -> list[Floats]:
        ends = np.cumsum([spec.row_elements or 0 for spec in self.card.inputs])[:-1]
        return list(np.split(matrix, ends, axis=-1))


def table_of(
    job: JobSpec, card: ModelCard, rows: Mapping[str, Any], arrays: Mapping[str, Any], sample: Mapping[str, Any], of: Partition
) -> Table:
    """The job's table. The data are the request's background set, else the card's sample, else the job's own rows."""
    given = {spec.name: arrays.get(f"background/{spec.name}") for spec in card.inputs}
    own = _joined(card, rows)
    if job.baseline.kind == "background" and all(array is not None for array in given.values()):
        return Table(card, own, _joined(card, given), "background", of)
    known = [sample.get(spec.name) for spec in card.inputs]
    if all(array is not None and len(array) >= ENOUGH for array in known):
        return Table(card, own, _joined(card, sample), "sample", of)
    return Table(card, own, own, "rows", of)


def held(spec: InputSpec, values: NDArray[Any]) -> NDArray[Any]:
    """Values in an input's datatype, the nearest that it can hold."""
    low, high = limits(spec.datatype)
    exact = values if spec.datatype in FLOATS else np.rint(values)
    kept: NDArray[Any] = np.clip(exact, low, high).astype(NUMPY_NAMES[spec.datatype])
    return kept


def together(
    table: Table, searches: Iterable[tuple[int, Asking[Found]]], most_points: int
) -> Generator[list[tuple[int, Any]], list[Answer], dict[int, Found]]:
    """Drive searches side by side, by their rows' numbers: as many as fit `MOST_NUMBERS`, their points asked about together."""
    waiting, width = iter(searches), max(1, MOST_NUMBERS // (most_points * table.rows.shape[1]))
    asking: dict[int, tuple[Asking[Found], Floats]] = {}
    done: dict[int, Found] = {}
    while True:
        while len(asking) < width and (begun := next(waiting, None)) is not None:
            _go_on(begun[0], begun[1], None, asking, done)
        if not asking:
            return done
        turn = list(asking.items())
        answers = yield [(row, table.ask(points)) for row, (_, points) in turn]
        for (row, (search, _)), answer in zip(turn, answers, strict=True):
            _go_on(row, search, answer, asking, done)


def each(
    table: Table, points: Iterable[Floats], take: Callable[[int, Floats], None]
) -> Generator[list[tuple[int, Any]], list[Answer], None]:
    """Ask about matrices of points [points, columns] in turn, as many together as fit; `take` is given each one's outputs."""
    number, part = 0, list[Outputs]()
    room = MOST_NUMBERS
    for matrix in points:
        part.append(table.ask(matrix))
        room -= matrix.size
        if room <= 0:
            number = yield from _asked(part, number, take)
            room = MOST_NUMBERS
    yield from _asked(part, number, take)


def _asked(
    part: list[Outputs], number: int, take: Callable[[int, Floats], None]
) -> Generator[list[tuple[int, Any]], list[Answer], int]:
    if part:
        answers = yield [(0, question) for question in part]
        for answer in answers:
            take(number, answer)
            number += 1
        part.clear()
    return number


def _go_on(
    row: int,
    search: Asking[Found],
    answer: Floats | None,
    asking: dict[int, tuple[Asking[Found], Floats]],
    done: dict[int, Found],
) -> None:
    try:
        asking[row] = search, next(search) if answer is None else search.send(answer)
    except StopIteration as end:
        asking.pop(row, None)
        done[row] = end.value


def _joined(card: ModelCard, arrays: Mapping[str, Any]) -> Floats:
    return np.concatenate([np.asarray(arrays[spec.name], dtype=np.float64) for spec in card.inputs], axis=1)
