"""Answers a chunk: builds its points on the device, calls the model once, and gives every question its part."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import ExplaineryError, MethodUnavailable, ModelFailed, ModelOutputNotFinite
from workers.batching import Slice
from workers.device import ran_out_of_memory
from workers.frame import Frame
from workers.looks import add_up_inside, answer_of, kind_of, shown
from workers.plugins import Array, Inside, Model
from workers.points import Row, baselines_in, coalition_points, frame_points, path_points
from workers.questions import Answer, Floats, GradientAnswer, Gradients, Internals, Question, Values
from workers.sums import Sums, add_up


@dataclass(eq=False)
class Tally:
    """What has come in for one question."""

    row: Row
    question: Question | Frame
    outputs: Floats = field(init=False)
    """[evaluations, columns] for a frame, [evaluations] for the others."""
    sums: Sums = field(default_factory=Sums)

    def __post_init__(self) -> None:
        self.outputs = np.empty(0)

    @property
    def evaluations(self) -> int:
        """Evaluations the question costs on this row."""
        if isinstance(self.question, Frame):
            return self.question.evaluations(self.row)
        return self.question.evaluations * baselines_in(self.row, self.question)

    @property
    def kind(self) -> Hashable:
        """Questions of one kind share a call."""
        if isinstance(self.question, Internals):
            return ("internals", *kind_of(self.question), self.row.shape_key)
        return ("gradients" if isinstance(self.question, Gradients) else "values", self.row.shape_key)

    def answer(self) -> Answer:
        """The answer, once every evaluation is in. Raises ModelOutputNotFinite when a gradient is not."""
        count = baselines_in(self.row, self.question)
        if isinstance(self.question, Frame):
            return self.question.answer(self.outputs)
        outputs = self.outputs.reshape(-1, count).mean(axis=1)
        if isinstance(self.question, Values):
            return outputs
        sums = self.sums.fetched(self.row.model)
        if isinstance(self.question, Internals):
            return answer_of(sums, outputs, self.sums, self.row.column)
        return GradientAnswer(sums["inputs"], outputs)

    def take(self, start: int, outputs: Floats) -> None:
        """Note outputs [points, ...] of evaluations from `start` on. Raises ModelOutputNotFinite, but not of figures."""
        if not (self._of_figures or np.isfinite(outputs).all()):
            raise ModelOutputNotFinite(
                "The model answered NaN or infinity for this row; check its weights and the scale of the inputs."
            )
        if not self.outputs.size:
            self.outputs = np.empty((self.evaluations, *outputs.shape[1:]))
        self.outputs[start : start + len(outputs)] = outputs

    @property
    def _of_figures(self) -> bool:
        return isinstance(self.question, Internals) and self.question.probe.statistics


Masks = dict[int, tuple[NDArray[Any], Array]]
"""Coalitions already on the device, by identity: rows that share a plan share its masks."""


class Answering:
    """Asks one model. A model's own exception becomes ModelFailed; MemoryError and what a runtime refuses pass through."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._masks: Masks = {}

    def ask(self, chunk: Sequence[Slice[Tally]]) -> list[tuple[Slice[Tally], ModelOutputNotFinite]]:
        """Answer every slice of the chunk, in one call; return the slices whose output is not finite."""
        try:
            question = chunk[0].pending.question
            if isinstance(question, Internals):
                parts = self._internals(chunk, question)
            else:
                parts = self._gradients(chunk) if isinstance(question, Gradients) else self._values(chunk)
        except (MemoryError, KeyboardInterrupt, ExplaineryError):
            raise
        except Exception as error:  # a model may raise anything; its text may hold data and is not repeated
            if ran_out_of_memory(error):
                raise MemoryError from error
            raise ModelFailed(
                f"The model raised {type(error).__name__} while it was called; try it on its own sample."
            ) from error
        faults = []
        for piece, outputs in zip(chunk, parts, strict=True):
            try:
                piece.pending.asker.take(piece.start, outputs)
            except ModelOutputNotFinite as fault:
                faults.append((piece, fault))
        return faults

    def _values(self, chunk: Sequence[Slice[Tally]]) -> list[Floats]:
        outputs = self._model.forward(self._joined([self._forward_points(piece) for piece in chunk]))
        fetched = self._fetched(outputs, chunk)
        parts = []
        for piece, rows in zip(chunk, _cut(chunk), strict=True):
            tally = piece.pending.asker
            parts.append(fetched[rows] if isinstance(tally.question, Frame) else fetched[rows, tally.row.column])
        return parts

    def _forward_points(self, piece: Slice[Tally]) -> dict[str, Array]:
        tally = piece.pending.asker
        if isinstance(tally.question, Values):
            return coalition_points(tally.row, self._placed(tally.question.coalitions), piece.start, piece.stop)
        assert isinstance(tally.question, Frame)  # noqa: S101  # a chunk of values has no other questions
        wanted = tally.question
        return frame_points(tally.row, piece.start, piece.stop, instance=wanted.instance, baseline=wanted.baseline)

    def _gradients(self, chunk: Sequence[Slice[Tally]]) -> list[Floats]:
        built = [path_points(piece.pending.asker.row, _gradients_of(piece), piece.start, piece.stop) for piece in chunk]
        columns = np.concatenate([np.full(piece.stop - piece.start, piece.pending.asker.row.column) for piece in chunk])
        outputs, gradients = self._model.gradients(self._joined([points for points, _ in built]), columns)
        fetched = self._fetched(outputs, chunk)
        for piece, rows, (_, baselines) in zip(chunk, _cut(chunk), built, strict=True):
            tally, question = piece.pending.asker, _gradients_of(piece)
            add_up(tally.sums, tally.row, question, piece, {name: part[rows] for name, part in gradients.items()}, baselines)
        return [fetched[rows] for rows in _cut(chunk)]

    def _internals(self, chunk: Sequence[Slice[Tally]], question: Internals) -> list[Floats]:
        """Ask for what the chunk's probe shows; rows whose target is the largest output learn which it is."""
        looks = [shown(piece.pending.asker.row, _internals_of(piece), piece) for piece in chunk]
        columns = np.concatenate([np.full(piece.stop - piece.start, piece.pending.asker.row.column) for piece in chunk])
        start = None if looks[0].start is None else self._model.xp.concatenate([look.start for look in looks])
        references = self._joined([look.baselines for look in looks]) if question.probe.paired else None
        seen = self._inside.internals(self._joined([look.points for look in looks]), columns, question.probe, start, references)
        scores, targets = self._fetched(seen.scores, chunk), self._model.fetch(seen.columns).astype(np.int64)
        for piece, rows, look in zip(chunk, _cut(chunk), looks, strict=True):
            tally = piece.pending.asker
            if tally.row.column < 0:
                tally.row.column = int(targets[rows][0])
            if seen.references is not None:
                tally.sums.note_references(self._model.fetch(seen.references[rows])[:, tally.row.column])
            add_up_inside(tally.sums, tally.row, _internals_of(piece), piece, seen, rows, look)
        return [scores[rows] for rows in _cut(chunk)]

    @property
    def _inside(self) -> Inside:
        if not hasattr(self._model, "internals"):
            raise MethodUnavailable("This model cannot be looked into; use a method that asks for values or gradients.")
        return cast(Inside, self._model)

    def _fetched(self, outputs: Array, chunk: Sequence[Slice[Tally]]) -> Floats:
        """The outputs as float64, one row per point: a model that mixes its rows cannot be explained."""
        fetched = self._model.fetch(outputs)
        if len(fetched) != sum(piece.stop - piece.start for piece in chunk):
            raise ValueError("the model answered another number of rows than it was asked")
        return fetched

    def _joined(self, parts: list[dict[str, Array]]) -> dict[str, Array]:
        if len(parts) == 1:
            return parts[0]
        return {name: self._model.xp.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _placed(self, coalitions: NDArray[np.bool_] | Floats) -> Array:
        known = self._masks.get(id(coalitions))
        if known is None or known[0] is not coalitions:
            if len(self._masks) >= 16:  # a few plans are in use at a time
                self._masks.clear()
            known = self._masks[id(coalitions)] = (coalitions, self._model.place(_narrow(coalitions)))
        return known[1]


def _gradients_of(piece: Slice[Tally]) -> Gradients:
    question = piece.pending.asker.question
    if not isinstance(question, Gradients):
        raise TypeError("a chunk holds questions of one kind")
    return question


def _narrow(coalitions: NDArray[Any]) -> NDArray[Any]:
    """Shares in single precision."""
    return coalitions if coalitions.dtype == np.bool_ else coalitions.astype(np.float32)


def _internals_of(piece: Slice[Tally]) -> Internals:
    question = piece.pending.asker.question
    if not isinstance(question, Internals):
        raise TypeError("a chunk holds questions of one kind")
    return question


def _cut(chunk: Sequence[Slice[Any]]) -> list[slice]:
    """Where each slice's points are in the joined batch."""
    ends = np.cumsum([piece.stop - piece.start for piece in chunk])
    return [slice(int(end) - (piece.stop - piece.start), int(end)) for piece, end in zip(chunk, ends, strict=True)]
