"""A job from its rows to its report: drives a method that answers for all rows together, a bounded part of them at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import ComputeError, ExplaineryError, RequestRefused
from explainery.contract.model_card import FLOATS, InputSpec
from explainery.contract.result import MapInfo
from explainery.contract.tensors import map_key
from workers.explaining import Order, map_info
from workers.frame import Frame
from workers.game import InputView
from workers.inputs import Rows
from workers.plugins import Model, WholePlugin
from workers.points import Row
from workers.questions import Answer, Internals, Question
from workers.whole import Asked, Bounds, JobSolution, JobView

Turn = list[tuple[Row, Question | Frame]]


@dataclass(frozen=True, eq=False)
class WholeAnswer:
    """A finished job: its report, and its maps by the key they are stored under."""

    report: dict[str, Any]
    maps: dict[MapInfo, NDArray[Any]]
    notes: tuple[str, ...] = ()

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The maps by the key they are stored under."""
        return {map_key(described): array for described, array in self.maps.items()}


def explain_whole(
    order: Order, view: JobView, row: Callable[[int], Row], most: int
) -> Generator[Turn, list[Answer], WholeAnswer]:
    """Explain a job. `row`: brings a row to the device; at most `most` of them are there at a time."""
    steps = cast(WholePlugin, order.method).explain_job(view, order.job.params)
    answers: list[Answer] | None = None
    while True:
        try:
            asked: Asked = next(steps) if answers is None else steps.send(answers)
        except StopIteration as done:
            return _summed_up(done.value)
        except RequestRefused as refused:  # what only the rows or the model could show
            raise failed(refused) from refused
        answers = []
        for part in _parts(asked, most):
            placed = {number: row(number) for number in dict.fromkeys(number for number, _ in part)}
            answers += yield [(_aimed(placed[number], view.targets[number], question), question) for number, question in part]


def view_of(order: Order, rows: Rows, model: Model) -> JobView:
    """What the method may know of the job."""
    card = order.card
    views = tuple(InputView(spec.name, tuple(rows[spec.name][0].shape), spec.modality, spec.layout) for spec in card.inputs)
    smooth = [spec for spec in card.inputs if spec.datatype in FLOATS]
    bounds = {spec.name: bounds_of(spec, np.asarray(rows[spec.name])) for spec in smooth if not spec.filled}
    return JobView(
        order.job.rows, order.job.seed, order.job.target, card.score_output, views, bounds, order.layers,
        lambda: getattr(model, "weights", ()), order.table,
    )  # fmt: skip


def bounds_of(spec: InputSpec, rows: NDArray[Any]) -> Bounds:
    """A picture's range by its card; else the range of the rows: of each feature of a table, of all else as a whole."""
    values, shape = rows.astype(np.float64), rows.shape[1:]
    mean = values.mean(axis=0)
    if spec.modality == "image" and spec.range is not None:
        low, high = (_normalised(spec, end, len(shape)) for end in spec.range)
        return Bounds(np.broadcast_to(low, shape), np.broadcast_to(high, shape), mean, "card")
    axis = 0 if spec.modality == "tabular" else None
    low, high = values.min(axis=axis), values.max(axis=axis)
    return Bounds(np.broadcast_to(low, shape), np.broadcast_to(high, shape), mean, "rows")


def _normalised(spec: InputSpec, value: float, axes: int) -> NDArray[np.float64]:
    """A pixel's value as the model sees it, per channel."""
    mean, std = np.array(spec.mean or (0.0,)), np.array(spec.std or (1.0,))
    per_channel: NDArray[np.float64] = (value - mean) / std
    place = {"NCHW": 0, "NHWC": axes - 1}.get(str(spec.layout))
    return per_channel.reshape([-1 if axis == place else 1 for axis in range(axes)] if place is not None else ())


def failed(refused: RequestRefused) -> ExplaineryError:
    """A compute error that keeps the refusal's code."""
    error = ComputeError(refused.detail)
    error.code = refused.code  # type: ignore[misc]  # the instance speaks for another class
    return error


def _parts(asked: Asked, most: int) -> Iterator[Asked]:
    """The questions in parts of at most `most` rows."""
    part: Asked = []
    rows: set[int] = set()
    for number, question in asked:
        if number not in rows and len(rows) == most:
            yield part
            part, rows = [], set()
        part.append((number, question))
        rows.add(number)
    if part:
        yield part


def _aimed(row: Row, target: int | str | None, question: Question | Frame) -> Row:
    """The row with its output column, the question's own where it has one: -1 is the largest."""
    own = question.column if isinstance(question, Internals) else None
    column = own if own is not None else -1 if target == "predicted" else int(target or 0)
    return replace(row, column=column)


def _summed_up(solution: JobSolution) -> WholeAnswer:
    maps = {map_info(each): np.asarray(each.values, dtype=np.float32) for each in solution.maps}
    return WholeAnswer(plain(solution.report), maps, solution.notes)


def plain(value: Any) -> Any:
    """A value as JSON knows it: NumPy's numbers and arrays as Python's, what is not finite as null."""
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
