"""One row from its arrays to its explanation: a generator that asks for the frame, drives the method, and sums up."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import InvalidTarget
from explainery.contract.job import JobSpec
from explainery.contract.model_card import FLOATS, InputSpec, ModelCard
from explainery.contract.result import Attribution, Explanation, Quality, Target
from workers.game import Game, Partition
from workers.plugins import MethodPlugin
from workers.points import Row
from workers.quality import quality_of
from workers.questions import Answer, Floats, Question, Solution


@dataclass(frozen=True)
class Frame:
    """The engine's own first question: the outputs at the instance and, averaged, at its baselines."""


@dataclass(frozen=True)
class FrameAnswer:
    """`instance`, `baseline`: float64 [columns]."""

    instance: Floats
    baseline: Floats


@dataclass(frozen=True, eq=False)
class RowAnswer:
    """A finished row: its explanation and its arrays by input name (standard errors only from sampling methods)."""

    explanation: Explanation
    attributions: dict[str, NDArray[Any]]
    standard_errors: dict[str, NDArray[Any]]


def explain_row(
    job: JobSpec, number: int, card: ModelCard, method: MethodPlugin, row: Row
) -> Generator[Question | Frame, Answer, RowAnswer]:
    """Explain row `number` of a job."""
    frame: FrameAnswer = yield Frame()
    target = job.target[number]
    row.column = _column(target, frame.instance, card)
    game = Game(row.partition, float(frame.instance[row.column]), float(frame.baseline[row.column]), job.seed)
    solution = yield from method.explain(game, job.params)
    return _summed_up(card, method, row, game, solution, target)


def _column(target: int | str | None, outputs: Floats, card: ModelCard) -> int:
    """The output column to explain. Raises InvalidTarget where only the model's answer shows that the target does not fit."""
    if target == "predicted":
        return int(np.argmax(outputs))
    if target is None and len(outputs) > 1:
        raise InvalidTarget(f"Output {card.score_output.name} has {len(outputs)} columns here: name one of them as the target.")
    column = int(target or 0)
    if not 0 <= column < len(outputs):
        raise InvalidTarget(f"The target is out of range: output {card.score_output.name} has {len(outputs)} columns here.")
    return column


def _summed_up(
    card: ModelCard, method: MethodPlugin, row: Row, game: Game, solution: Solution, target: int | str | None
) -> RowAnswer:
    output = card.score_output
    label = output.labels[row.column] if output.labels and row.column < len(output.labels) else None
    shares = {spec.name: attribution_of(spec, row.partition, solution) for spec in card.sent}
    errors = {}
    if solution.standard_error is not None:
        alone = Solution(per_player=solution.standard_error)
        errors = {spec.name: attribution_of(spec, row.partition, alone) for spec in card.sent}
    explanation = Explanation(
        target=Target(output=output.name, index=None if target is None else row.column, label=label),
        instance_output=game.instance_output,
        baseline_output=game.baseline_output,
        attributions=tuple(_described(spec, row.partition, solution, shares[spec.name]) for spec in card.sent),
        quality=_noted(quality_of(game, solution, complete=method.SPEC.completeness), row.notes),
    )
    return RowAnswer(explanation, shares, errors)


def _noted(quality: Quality, notes: tuple[str, ...]) -> Quality:
    return quality.model_copy(update={"notes": notes + quality.notes})


def attribution_of(spec: InputSpec, partition: Partition, solution: Solution) -> NDArray[Any]:
    """One input's attribution: per element, or per group where groups were asked for.

    A player's value is shared equally by its elements, so that attributions still sum to what the players' values sum to. What
    never plays has none. The elements of a text are its pieces: tokens, words or sentences.
    """
    precision = np.float32 if spec.datatype in FLOATS and spec.datatype != "FP64" else np.float64
    if solution.per_element is not None:
        return solution.per_element[spec.name].astype(precision)
    values = solution.per_player
    if values is None:
        raise TypeError("a method's solution has values per player or per element")
    if spec.name in partition.grouped:
        return values[partition.of_input(spec.name)].astype(precision)
    labels = partition.labels[spec.name]
    return np.where(labels < 0, 0.0, (values / partition.sizes)[labels]).astype(precision)


def _described(spec: InputSpec, partition: Partition, solution: Solution, share: NDArray[Any]) -> Attribution:
    features = spec.features
    if spec.name in partition.offsets or (spec.name in partition.grouped and solution.per_element is None):
        features = partition.names.get(spec.name)
    return Attribution(
        input=spec.name,
        shape=share.shape,
        datatype="FP32" if share.dtype == np.float32 else "FP64",
        features=features,
        offsets=partition.offsets.get(spec.name),
    )
