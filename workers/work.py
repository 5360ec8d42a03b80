"""A claimed job while it is being worked on: its rows, how far they are, and in the end its result."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery import __version__
from explainery.contract.errors import ComputeError, DeadlineExceeded, RequestRefused, TimeLimitExceeded
from explainery.contract.result import Cost, ModelUsed, Result
from explainery.contract.tensors import pack_result, unpack
from explainery.store.jobs import Advance, Claim
from workers.explaining import Order, RowAnswer
from workers.features import partitions_of
from workers.frame import baseline_key
from workers.game import Partition
from workers.inputs import Rows, backgrounds_of, decode_rows
from workers.loaded import Loaded
from workers.named_layers import layers_of
from workers.plugins import Array, MethodPlugin
from workers.points import Row, place_labels, place_row
from workers.registry import Registry
from workers.text.reading import Passages, passages_of


@dataclass(eq=False)
class Work:
    """One job at work.

    `company`: the most jobs that a batch held with it; `crowd`: the most points that a chunk did. `compute_s`: its share of the
    model's time.
    """

    claim: Claim
    loaded: Loaded
    method: MethodPlugin
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
    began_s: float = field(default_factory=time.perf_counter)
    model_evaluations: int = 0
    gradient_evaluations: int = 0
    company: int = 1
    crowd: int = 0
    compute_s: float = 0.0
    started: int = 0
    answers: dict[int, RowAnswer] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The job's id."""
        return self.claim.spec.id

    @property
    def finished(self) -> bool:
        """Whether every row has its answer."""
        return len(self.answers) == self.claim.spec.rows

    def next_row(self) -> tuple[int, Row] | None:
        """The next row that has not been started, on the device; None when all are."""
        number = self.started
        if number == self.claim.spec.rows:
            return None
        self.started += 1
        instance = {name: array[number] for name, array in self.rows.items()}
        around = {name: array[number if len(array) > 1 else 0] for name, array in self.backgrounds.items()}
        which = number if len(self.partitions) > 1 else 0
        labels = place_labels(self.loaded.model, self.partitions[which]) if which else self.labels
        row = place_row(self.loaded.model, instance, around, self.partitions[which], labels)
        for text, passages in self.texts.items():
            row.notes += passages[number].notes
            row.text, row.embedding = text, self.loaded.embedding
        if self.around is not None:
            row.known_baseline = self.loaded.known_baselines.find(self.around)
            row.learn_baseline = partial(self.loaded.known_baselines.note, self.around)
        return number, row

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

    def result(self) -> bytes:
        """The finished job's result, packed."""
        spec, answers = self.claim.spec, [self.answers[number] for number in range(self.claim.spec.rows)]
        result = Result(
            id=spec.id,
            model=ModelUsed(**spec.model.model_dump(), runtime=self.loaded.runtime),
            method=spec.method,
            params=spec.params,
            seed=spec.seed,
            value_function="marginal" if spec.baseline.kind == "background" else "baseline",
            explanations=tuple(answer.explanation for answer in answers),
            cost=Cost(
                model_evaluations=self.model_evaluations,
                gradient_evaluations=self.gradient_evaluations,
                seconds=round(time.perf_counter() - self.began_s, 6),
                batch_jobs=self.company,
            ),
            environment=environment(self.loaded),
            notes=(spec.method_reason,) if spec.method_reason else (),
        )
        return pack_result(result, dict(_stacked(answers)))


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
        backgrounds = backgrounds_of(spec, loaded, rows, arrays, modalities, texts)
        partitions = partitions_of(method, loaded.card, rows, spec.params, modalities, texts, loaded.cuts)
        layers = layers_of(method.SPEC, loaded.model, spec.params)
    except RequestRefused as refused:  # what the API could not see from the card alone
        raise _failed(refused) from refused
    calls = sum(method.cost(partition.players, spec.params) for partition in partitions)
    total = calls * (spec.rows if len(partitions) == 1 else 1) * _width(backgrounds)
    return Work(
        claim, loaded, method, texts, rows, backgrounds, partitions, place_labels(loaded.model, partitions[0]), total,
        Order(spec, loaded.card, method, layers), _around(backgrounds),
    )  # fmt: skip


def _around(backgrounds: Rows) -> bytes | None:
    """What tells the baselines apart where all rows share them; those of texts hold the row's own special tokens."""
    shared = {name: array for name, array in backgrounds.items() if isinstance(array, np.ndarray) and len(array) == 1}
    return baseline_key(shared) if len(shared) == len(backgrounds) else None


def _failed(refused: RequestRefused) -> ComputeError:
    """A compute error that keeps the refusal's code."""
    error = ComputeError(refused.detail)
    error.code = refused.code  # type: ignore[misc]  # the instance speaks for another class
    return error


def _width(backgrounds: Rows) -> int:
    return len(next(iter(backgrounds.values()))[0])


def _stacked(answers: list[RowAnswer]) -> Iterator[tuple[str, NDArray[Any]]]:
    for name in answers[0].attributions:
        yield f"attributions.{name}", _stack([answer.attributions[name] for answer in answers])
    for name in answers[0].maps:
        yield name, _stack([answer.maps[name] for answer in answers])
    for name in answers[0].standard_errors:
        yield f"standard_error.{name}", _stack([answer.standard_errors[name] for answer in answers])
    yield "instance_output", np.array([answer.explanation.instance_output for answer in answers])
    yield "baseline_output", np.array([answer.explanation.baseline_output for answer in answers])


def _stack(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """The rows' arrays as one, filled up with zeros where they differ in shape."""
    if len({part.shape for part in parts}) == 1:
        return np.stack(parts)
    whole = np.max([part.shape for part in parts], axis=0)
    return np.stack([np.pad(part, [(0, most - size) for most, size in zip(whole, part.shape, strict=True)]) for part in parts])
