"""One row from its arrays to its explanation: asks for the frame, drives the method, has it checked, and sums up."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from explainery.contract.job import JobSpec
from explainery.contract.layers import LayerSpec
from explainery.contract.model_card import FLOATS, InputSpec, ModelCard
from explainery.contract.result import Attribution, Explanation, MapInfo, Quality, Target
from explainery.contract.tensors import map_key
from workers.checking import Check, Copies, checked, in_turns
from workers.frame import Frame, FrameAnswer
from workers.game import Game, InputView, Partition
from workers.memory import Memory
from workers.outcomes import column_of
from workers.plugins import AnyMethod, MethodPlugin
from workers.points import Row, numbers_of
from workers.quality import quality_of
from workers.questions import Answer, InternalAnswer, Internals, Map, Question, Solution
from workers.reason_codes import reasons_of
from workers.recheck import Finding
from workers.subject import subject_of
from workers.table import Table

NO_FINDINGS: Mapping[str, Finding] = {}


@dataclass(frozen=True, eq=False)
class RowAnswer:
    """A finished row: its explanation and its arrays by input or layer (standard errors only from sampling methods).

    `maps`: by the key they are stored under.
    """

    explanation: Explanation
    attributions: dict[str, NDArray[Any]]
    standard_errors: dict[str, NDArray[Any]]
    maps: dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Order:
    """What a job asks of each of its rows."""

    job: JobSpec
    card: ModelCard
    method: AnyMethod
    layers: tuple[LayerSpec, ...] = ()
    table: Table | None = None
    checks: tuple[Check, ...] = ()
    copies: Copies = field(default_factory=Copies)


def row_turns(
    order: Order, number: int, row: Row, memory: Memory | None = None
) -> Generator[list[tuple[Row, Question | Frame]], list[Answer], RowAnswer]:
    """Explain row `number` of a job, and check the explanation, in turns of questions that wait together.

    `memory`: of a method that samples.
    """
    target = order.job.target[number]
    game, solution = yield from in_turns(row, _solved(order, row, target, order.job.seed, memory))
    findings: dict[str, Finding] = {}
    if order.checks:
        subject = subject_of(row, game, solution, order.method.SPEC, order.card)
        findings = yield from checked(order.checks, subject, row, order.copies, partial(_once_more, order))
    return _summed_up(order, row, game, target, solution, findings)


def _solved(
    order: Order, row: Row, target: int | str | None, seed: int, memory: Memory | None = None
) -> Generator[Question | Frame, Answer, tuple[Game, Solution]]:
    """Frame a row and drive the method on it."""
    game = Game(
        row.partition,
        seed=seed,
        backgrounds=row.backgrounds,
        shares=row.shares,
        layers=order.layers,
        inputs=_views(order.card, row),
        numbers=cache(partial(numbers_of, row)),
    )
    if _at_once(order, target):
        solution = yield from _framed_later(order, row, game, target)
    elif memory is None:
        yield from _framed(order, row, game, target)
        solution = yield from _of_rows(order).explain(game, order.job.params)
    else:
        if not memory.recalls(row, game):
            yield from _framed(order, row, game, target)
        solution = yield from memory.explaining(game, row.column, partial(_summed_up, order, row, game, target))
    if solution.margin is not None:
        game.instance_output, game.baseline_output = solution.margin.instance, solution.margin.baseline
    return game, solution


def _once_more(order: Order, row: Row, seed: int | None) -> Generator[Question | Frame, Answer, Solution]:
    """The method again for the column that was explained: on another instance or model, or under another seed."""
    _, solution = yield from _solved(order, row, row.column, order.job.seed if seed is None else seed)
    return solution


def _of_rows(order: Order) -> MethodPlugin:
    return cast(MethodPlugin, order.method)


def _framed(order: Order, row: Row, game: Game, target: int | str | None) -> Generator[Frame, FrameAnswer, None]:
    """Ask for the outputs at the instance and its baselines."""
    frame: FrameAnswer = yield Frame()
    assert frame.instance is not None and frame.baseline is not None  # noqa: S101, PT018  # both were asked for
    row.learn_baseline(frame.baseline)
    row.column = column_of(target, frame.instance, f"Output {order.card.score_output.name}")
    game.instance_output, game.baseline_output = float(frame.instance[row.column]), float(frame.baseline[row.column])


def _at_once(order: Order, target: int | str | None) -> bool:
    """Whether the method's first question shows the outputs too, so that they need not be asked for before."""
    known = target == "predicted" or order.card.score_output.columns is not None
    return order.method.SPEC.asks == ("internals",) and known


def _framed_later(
    order: Order, row: Row, game: Game, target: int | str | None
) -> Generator[Question | Frame, Answer, Solution]:
    """Drive a method whose answers show the outputs; what they have not shown is asked for at the end."""
    row.column = -1 if target == "predicted" else int(target or 0)
    steps = _of_rows(order).explain(game, order.job.params)
    question = next(steps)
    if not (isinstance(question, Internals) and question.at_instance):  # it would find a largest output at each of its points
        yield from _framed(order, row, game, target)
    while True:
        answer = yield question
        if isinstance(answer, InternalAnswer) and isinstance(question, Internals):
            _note_outputs(game, question, answer)
        try:
            question = steps.send(answer)
        except StopIteration as done:
            solution: Solution = done.value
            break
    ask_instance, known = math.isnan(game.instance_output), row.known_baseline
    if ask_instance or (math.isnan(game.baseline_output) and known is None):
        frame: FrameAnswer = yield Frame(instance=ask_instance, baseline=known is None)
        if frame.baseline is not None:
            row.learn_baseline(frame.baseline)
            known = frame.baseline
        if frame.instance is not None:
            row.column = column_of(target, frame.instance, f"Output {order.card.score_output.name}")
            game.instance_output = float(frame.instance[row.column])
    if math.isnan(game.baseline_output) and known is not None:
        if row.known_baseline is not None:
            row.charge(row.backgrounds)
        game.baseline_output = float(known[row.column])
    return solution


def _note_outputs(game: Game, question: Internals, answer: InternalAnswer) -> None:
    """The outputs, where the answer shows them: at the instance itself, and at what it was paired with."""
    if question.at_instance and math.isnan(game.instance_output):
        game.instance_output = float(answer.outputs[0])
        if answer.reference is not None:
            game.baseline_output = answer.reference


def _views(card: ModelCard, row: Row) -> tuple[InputView, ...]:
    return tuple(
        InputView(spec.name, tuple(row.instance[spec.name].shape[1:]), spec.modality, spec.layout) for spec in card.inputs
    )


def _summed_up(
    order: Order,
    row: Row,
    game: Game,
    target: int | str | None,
    solution: Solution,
    findings: Mapping[str, Finding] = NO_FINDINGS,
) -> RowAnswer:
    card, output = order.card, order.card.score_output
    label = output.labels[row.column] if output.labels and row.column < len(output.labels) else None
    inputs = () if solution.per_player is None and solution.per_element is None else card.sent
    shares = {spec.name: attribution_of(spec, row.partition, solution) for spec in inputs}
    layers = {name: array.astype(np.float32) for name, array in (solution.per_layer or {}).items()}
    errors = {}
    if solution.standard_error is not None:
        found = solution.standard_error
        alone = Solution(per_element=found) if isinstance(found, dict) else Solution(per_player=found)
        errors = {spec.name: attribution_of(spec, row.partition, alone) for spec in card.sent}
    maps = {map_info(each): each.values.astype(np.float32) for each in solution.maps}
    attributions = (
        *(_described(spec, row.partition, solution, shares[spec.name]) for spec in inputs),
        *(Attribution(input=name, shape=array.shape, datatype="FP32", layer=name) for name, array in layers.items()),
    )
    explanation = Explanation(
        target=Target(
            output=output.name,
            index=None if target is None else row.column,
            label=label,
            link=solution.margin.link if solution.margin else None,
        ),
        instance_output=game.instance_output,
        baseline_output=game.baseline_output,
        attributions=attributions,
        quality=_noted(quality_of(game, solution, order.method.SPEC, findings), row.notes),
        maps=tuple(maps),
        reasons=reasons_of(
            order.job,
            card,
            attributions,
            shares,
            errors,
            _wholes(row.partition, solution, errors),
            random=order.method.SPEC.random,
        ),
    )
    return RowAnswer(explanation, shares | layers, errors, {map_key(described): array for described, array in maps.items()})


def map_info(each: Map) -> MapInfo:
    """What is said of a map beside its numbers."""
    return MapInfo(name=each.name, shape=each.values.shape, axes=each.axes, layer=each.layer)


def _noted(quality: Quality, notes: tuple[str, ...]) -> Quality:
    return quality.model_copy(update={"notes": notes + quality.notes})


def attribution_of(spec: InputSpec, partition: Partition, solution: Solution) -> NDArray[Any]:
    """One input's attribution: per element, or per group where groups were asked for.

    A player's value is shared equally by its elements, so that attributions still sum to what the players' values sum to. What
    never plays has none. The elements of a text are its pieces: tokens, words or sentences.
    """
    precision = np.float32 if spec.datatype in FLOATS and spec.datatype != "FP64" else np.float64
    if solution.per_element is not None:
        found, text = solution.per_element[spec.name], partition.texts.get(spec.name)
        if text is not None and found.shape == text.of_token.shape:  # of a method that sees tokens: attention does
            found = text.summed(found)
        return found.astype(precision)
    values = solution.per_player
    if values is None:
        raise TypeError("a method's solution has values per player or per element")
    if spec.name in partition.grouped:
        return values[partition.of_input(spec.name)].astype(precision)
    labels = partition.labels[spec.name]
    return np.where(labels < 0, 0.0, (values / partition.sizes)[labels]).astype(precision)


def _wholes(partition: Partition, solution: Solution, errors: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    """Input -> the standard error of what it contributes: players err apart, a player's elements together."""
    found = solution.standard_error
    parts = errors if isinstance(found, dict) or found is None else {name: found[partition.of_input(name)] for name in errors}
    return {name: float(np.linalg.norm(part.astype(np.float64))) for name, part in parts.items()}


def _described(spec: InputSpec, partition: Partition, solution: Solution, share: NDArray[Any]) -> Attribution:
    features = spec.features
    text = partition.texts.get(spec.name)
    if text is not None or (spec.name in partition.grouped and solution.per_element is None):
        features = partition.names.get(spec.name)
    return Attribution(
        input=spec.name,
        shape=share.shape,
        datatype="FP32" if share.dtype == np.float32 else "FP64",
        features=features,
        offsets=None if text is None else text.offsets,
    )
