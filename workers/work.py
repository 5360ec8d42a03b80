"""A claimed job while it is being worked on: its rows, how far they are, and in the end its result."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from explainery import __version__
from explainery.contract.errors import ComputeError, DeadlineExceeded, MethodUnavailable, RequestRefused, TimeLimitExceeded
from explainery.contract.job import JobSpec
from explainery.contract.result import Cost, ModelUsed, Result
from explainery.contract.tables import check_table, lacks_table
from explainery.contract.tensors import pack_result, unpack
from explainery.store.jobs import Advance, Claim
from workers.checking import Check, checks_of
from workers.explaining import Order, RowAnswer, row_turns
from workers.explaining_whole import WholeAnswer, explain_whole, failed, view_of
from workers.features import partition_of, partitions_of
from workers.frame import baseline_key
from workers.game import Partition
from workers.inputs import Rows, backgrounds_of, decode_rows, summarised
from workers.loaded import Loaded
from workers.named_layers import layers_of
from workers.neighbours import neighbours_of
from workers.pace import Pace
from workers.plugins import AnyMethod, Array, MethodPlugin, TablePlugin, WholePlugin
from workers.points import Row, place_labels, place_row
from workers.questions import Floats
from workers.registry import Registry
from workers.remembering import Memories, memories_of
from workers.table import Table, table_of
from workers.text.reading import Passages, passages_of

Part = int
"""What a turn is for: a row's number, or WHOLE."""
WHOLE: Part = -1
Turns = Generator[list[tuple[Row, Any]], list[Any], Any]
"""A row, or a job as a whole, at work: yields questions that wait together, and is sent their answers."""


@dataclass(eq=False)
class Work:
    """One job at work.

    `company`: the most jobs that a batch held with it, `own_company` of its tenant; `crowd`: the most points that a chunk did.
    `compute_s`: its share of the model's time.
    """

    claim: Claim
    loaded: Loaded
    method: AnyMethod
    texts: Passages
    rows: Rows
    backgrounds: Rows
    partitions: list[Partition]
    """One for each row where a text decides who plays, else one for all."""
    labels: dict[str, Array | None]
    """Of the first partition, on the device."""
    total: int
    order: Order
    around: bytes | None
    """What tells the baselines apart, where all rows share them."""
    shares: Floats | None = None
    """What each baseline weighs, where a background was summarised."""
    memories: Memories | None = None
    """Of the rows, where the method samples."""
    began_s: float = field(default_factory=time.perf_counter)
    model_evaluations: int = 0
    gradient_evaluations: int = 0
    company: int = 1
    own_company: int = 1
    crowd: int = 0
    compute_s: float = 0.0
    between_s: float = 0.0
    """Its own work between calls: rows placed, methods' arithmetic."""
    started: int = 0
    answers: dict[int, RowAnswer] = field(default_factory=dict)
    whole: WholeAnswer | None = None
    partial: bytes | None = None
    """Its running estimate, to be published."""
    pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        deadline_ms = self.claim.deadline_ms if self.memories is not None else None
        self.pace = Pace(time.time(), None if deadline_ms is None else deadline_ms / 1000)

    @property
    def id(self) -> str:
        """The job's id."""
        return self.claim.spec.id

    @property
    def finished(self) -> bool:
        """Whether every row has its answer, or the job as a whole."""
        return self.whole is not None or len(self.answers) == self.claim.spec.rows

    @property
    def abreast(self) -> bool:
        """Whether its rows are to come on alike, because all must have an estimate when its time is up."""
        return self.memories is not None and self.claim.deadline_ms is not None

    def begin(self, most: int) -> tuple[Part, Turns] | None:
        """Start the next row, or the job as a whole; None when all is started. Raises MemoryError.

        `most`: rows of a whole job that are on the device at a time.
        """
        number = self.started
        if number == self.claim.spec.rows:
            return None
        if self.method.SPEC.level == "job":
            self.started = self.claim.spec.rows
            return WHOLE, explain_whole(self.order, view_of(self.order, self.rows, self.loaded.model), self.row, most)
        self.started += 1
        memory = None if self.memories is None else self.memories.begin(number)
        return number, row_turns(self.order, number, self.row(number), memory)

    def settle(self, part: Part, answer: RowAnswer | WholeAnswer) -> None:
        """Note what was found."""
        if isinstance(answer, WholeAnswer):
            self.whole = answer
        else:
            self.answers[part] = answer

    def row(self, number: int) -> Row:
        """A row, on the device. Raises MemoryError."""
        instance = {name: array[number] for name, array in self.rows.items()}
        around = {name: array[number if len(array) > 1 else 0] for name, array in self.backgrounds.items()}
        which = number if len(self.partitions) > 1 else 0
        labels = place_labels(self.loaded.model, self.partitions[which]) if which else self.labels
        row = place_row(self.loaded.model, instance, around, self.partitions[which], labels)
        for text, passages in self.texts.items():
            row.notes += passages[number].notes
            row.text, row.embedding = text, self.loaded.embedding
        row.charge = partial(self.count, gradients=False)
        row.shares = self.shares
        if (count := self.claim.spec.baseline.neighbours) is not None:
            row.neighbours = neighbours_of(count, instance, around, self.partitions[which], self.claim.spec.seed)
        if self.around is not None:
            row.known_baseline = self.loaded.known_baselines.find(self.around)
            row.learn_baseline = partial(self.loaded.known_baselines.note, self.around)
        return row

    def count(self, evaluations: int, *, gradients: bool) -> None:
        """Note evaluations that were made for this job."""
        if gradients:
            self.gradient_evaluations += evaluations
        else:
            self.model_evaluations += evaluations

    def advance(self) -> Advance:
        """How far the job is."""
        gradients = "values" not in self.method.SPEC.asks
        done = self.gradient_evaluations if gradients else self.model_evaluations
        if self.order.checks:  # they may ask for both
            done = self.gradient_evaluations + self.model_evaluations
        unit = "gradient_evaluations" if gradients else "model_evaluations"
        return Advance(self.id, self.claim.fence, done, max(self.total, done), unit)

    def check_time(self, now_ms: float, limit_s: float) -> None:
        """Raise DeadlineExceeded when the job's deadline has passed, TimeLimitExceeded when this attempt took too long."""
        if self.claim.deadline_ms is not None and now_ms > self.claim.deadline_ms:
            raise DeadlineExceeded(
                "The deadline passed before the explanation was finished; give it more time or a smaller budget."
            )
        if time.perf_counter() - self.began_s > limit_s:
            raise TimeLimitExceeded(
                f"The job ran longer than the {limit_s:g} s a job may run; ask with fewer rows or a smaller budget."
            )

    def packed_answers(self, limit_bytes: int) -> bytes | None:
        """What its rows were answered, packed; None where that is nothing, or more than the limit."""
        if self.memories is None or len(self.memories.of_rows) < self.claim.spec.rows:
            return None
        return self.memories.packed(limit_bytes)

    def result(self) -> bytes:
        """The finished job's result, packed."""
        found, arrays = self.found([self.answers[number] for number in sorted(self.answers)])
        return pack_result(found, arrays)

    def found(self, answers: list[RowAnswer], *notes: str) -> tuple[Result, dict[str, NDArray[Any]]]:
        """A result of these rows, and its arrays."""
        spec, whole = self.claim.spec, self.whole
        reason = (spec.method_reason,) if spec.method_reason else ()
        result = Result(
            id=spec.id,
            model=ModelUsed(**spec.model.model_dump(), runtime=self.loaded.runtime),
            method=spec.method,
            params=spec.params,
            seed=spec.seed,
            value_function="baseline" if whole and not self.method.SPEC.table else spec.baseline.value_function,
            explanations=tuple(answer.explanation for answer in answers),
            cost=Cost(
                model_evaluations=self.model_evaluations,
                gradient_evaluations=self.gradient_evaluations,
                seconds=round(time.perf_counter() - self.began_s, 6),
                batch_jobs=self.own_company,
                compute_seconds=round(self.compute_s + self.between_s, 6),
            ),
            environment=environment(self.loaded),
            notes=(*reason, *notes, *(whole.notes if whole else ())),
            report=whole.report if whole else None,
            maps=tuple(whole.maps) if whole else (),
        )
        return result, {**(whole.arrays if whole else {}), **dict(_stacked(answers))}


def environment(loaded: Loaded) -> dict[str, str | None]:
    """Versions and device that an answer depends on."""
    known: dict[str, str | None] = {"explainery": __version__, "torch": None, "onnxruntime": None, "device": None}
    return known | dict(loaded.model.environment)


def take_in(claim: Claim, loaded: Loaded, registry: Registry) -> Work:
    """Prepare a claimed job: decode its rows, make its baselines and players. Raises ComputeError."""
    spec, modalities = claim.spec, registry.modalities
    method = registry.methods.get(spec.method)
    if method is None:
        raise ComputeError(f"This worker does not have the method {spec.method}; are all workers of one version?")
    try:
        arrays = unpack(claim.inputs)
        texts = passages_of(spec, loaded.card, loaded.readers, arrays)
        rows = decode_rows(spec, loaded, arrays, modalities, texts)
        checks = checks_of(spec.quality, registry.checks)
        layers = layers_of(method.SPEC, loaded.model, spec.params)
        whole, table = method.SPEC.level == "job", None
        if whole:
            backgrounds, partitions, shares = _nothing(rows), [Partition({})], None
            table = _table(spec, loaded, rows, arrays, registry) if method.SPEC.table else None
        else:
            backgrounds, shares = summarised(spec, loaded.card, backgrounds_of(spec, loaded, rows, arrays, modalities, texts))
            partitions = partitions_of(method, loaded.card, rows, spec.params, modalities, texts, loaded.cuts)
    except RequestRefused as refused:  # what the API could not see from the card alone
        raise failed(refused) from refused
    width = min(spec.baseline.neighbours or MOST_WIDE, _width(backgrounds))
    return Work(
        claim, loaded, method, texts, rows, backgrounds, partitions, place_labels(loaded.model, partitions[0]),
        _of_job(method, spec, table) if whole else _of_rows(method, spec, partitions, width, checks),
        Order(spec, loaded.card, method, layers, table, checks),
        None if whole else _around(backgrounds, shares), shares=shares,
        memories=memories_of(spec, method, width, _width(backgrounds), arrays),
    )  # fmt: skip


def _table(spec: JobSpec, loaded: Loaded, rows: Rows, arrays: Mapping[str, NDArray[Any]], registry: Registry) -> Table:
    """Raises InvalidParameter, and MethodUnavailable where the inputs are none."""
    card, method = loaded.card, registry.methods[spec.method].SPEC
    if lacks := lacks_table(card):
        raise MethodUnavailable(f"{spec.method} {lacks}.")
    check_table(method, spec.params, card, spec.rows)
    shapes = {each.name: each.row_shape for each in card.inputs}
    partition = partition_of(card, shapes, spec.params.get("features"), registry.modalities)
    return table_of(spec, card, rows, arrays, loaded.sample, partition)


MOST_WIDE = 2**31


def _around(backgrounds: Rows, shares: Floats | None) -> bytes | None:
    """What tells the baselines apart where all rows share them; those of texts hold the row's own special tokens."""
    shared = {name: array for name, array in backgrounds.items() if isinstance(array, np.ndarray) and len(array) == 1}
    if shares is not None:
        shared["shares"] = shares
        return baseline_key(shared) if len(shared) == len(backgrounds) + 1 else None
    return baseline_key(shared) if len(shared) == len(backgrounds) else None


def _of_job(method: AnyMethod, spec: JobSpec, table: Table | None) -> int:
    """Evaluations that a job may cost which is answered for as a whole."""
    if table is not None:
        return cast(TablePlugin, method).job_cost(spec.rows, spec.params, table)
    return cast(WholePlugin, method).job_cost(spec.rows, spec.params)


def _of_rows(method: AnyMethod, spec: JobSpec, partitions: list[Partition], width: int, checks: Sequence[Check]) -> int:
    """Evaluations that a job's rows may cost, those of its checks included."""
    own = 1 if method.SPEC.one_baseline else width
    calls = 0
    for partition in partitions:
        run = cast(MethodPlugin, method).cost(partition.players, spec.params) * own
        calls += run + sum(each.cost(partition.players, run, width, random=method.SPEC.random) for each in checks)
    return calls * (spec.rows if len(partitions) == 1 else 1)


def _nothing(rows: Rows) -> Rows:
    """Baselines for a job that needs none, shaped like its rows."""
    return {
        name: np.zeros((1, 1, *array.shape[1:]), array.dtype)
        if isinstance(array, np.ndarray)
        else [np.zeros((1, *row.shape), row.dtype) for row in array]
        for name, array in rows.items()
    }


def _width(backgrounds: Rows) -> int:
    return len(next(iter(backgrounds.values()))[0])


def _stacked(answers: list[RowAnswer]) -> Iterator[tuple[str, NDArray[Any]]]:
    """The rows' arrays on each other; of a job as a whole, no rows."""
    yield "instance_output", np.array([answer.explanation.instance_output for answer in answers])
    yield "baseline_output", np.array([answer.explanation.baseline_output for answer in answers])
    if not answers:
        return
    for name in answers[0].attributions:
        yield f"attributions.{name}", _stack([answer.attributions[name] for answer in answers])
    for name in answers[0].maps:
        yield name, _stack([answer.maps[name] for answer in answers])
    for name in answers[0].standard_errors:
        yield f"standard_error.{name}", _stack([answer.standard_errors[name] for answer in answers])


def _stack(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """The rows' arrays as one, filled up with zeros where they differ in shape."""
    if len({part.shape for part in parts}) == 1:
        return np.stack(parts)
    whole = np.max([part.shape for part in parts], axis=0)
    return np.stack([np.pad(part, [(0, most - size) for most, size in zip(whole, part.shape, strict=True)]) for part in parts])
