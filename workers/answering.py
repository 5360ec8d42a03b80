"""Answers a chunk: builds its points on the device, calls the model once, and gives every question its part."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import ExplaineryError, ModelFailed, ModelOutputNotFinite
from workers.batching import Slice
from workers.device import ran_out_of_memory
from workers.explaining import Frame, FrameAnswer
from workers.plugins import Array, Model
from workers.points import Row, coalition_points, frame_points, path_points, per_point
from workers.questions import Answer, Floats, GradientAnswer, Gradients, Question, Values


@dataclass(eq=False)
class Tally:
    """What has come in for one question."""

    row: Row
    question: Question | Frame
    outputs: Floats = field(init=False)
    """[evaluations, columns] for a frame, [evaluations] for the others."""
    sums: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.outputs = np.empty(0)

    @property
    def evaluations(self) -> int:
        """Evaluations the question costs on this row."""
        if isinstance(self.question, Frame):
            return 1 + self.row.backgrounds
        return self.question.evaluations * self.row.backgrounds

    @property
    def kind(self) -> Hashable:
        """Questions of one kind share a call."""
        return ("gradients" if isinstance(self.question, Gradients) else "values", self.row.shape_key)

    def answer(self) -> Answer:
        """The answer, once every evaluation is in. Raises ModelOutputNotFinite when a gradient is not."""
        count = self.row.backgrounds
        if isinstance(self.question, Frame):
            return FrameAnswer(self.outputs[0], self.outputs[1:].mean(axis=0))
        outputs = self.outputs.reshape(-1, count).mean(axis=1)
        if isinstance(self.question, Values):
            return outputs
        sums = {name: self.row.model.fetch(total) for name, total in self.sums.items()}
        if not all(np.isfinite(total).all() for total in sums.values()):
            raise ModelOutputNotFinite(
                "The model's gradient is NaN or infinite for this row; use another baseline, or a method without gradients."
            )
        return GradientAnswer(sums, outputs)

    def take(self, start: int, outputs: Floats) -> None:
        """Note outputs [points, ...] of evaluations from `start` on. Raises ModelOutputNotFinite."""
        if not np.isfinite(outputs).all():
            raise ModelOutputNotFinite(
                "The model answered NaN or infinity for this row; check its weights and the scale of the inputs."
            )
        if not self.outputs.size:
            self.outputs = np.empty((self.evaluations, *outputs.shape[1:]))
        self.outputs[start : start + len(outputs)] = outputs


Masks = dict[int, tuple[NDArray[np.bool_], Array]]
"""Coalitions already on the device, by identity: rows that share a plan share its masks."""


class Answering:
    """Asks one model. A model's own exception becomes ModelFailed; MemoryError and what a runtime refuses pass through."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._masks: Masks = {}

    def ask(self, chunk: Sequence[Slice[Tally]]) -> list[tuple[Slice[Tally], ModelOutputNotFinite]]:
        """Answer every slice of the chunk, in one call; return the slices whose output is not finite."""
        try:
            gradients = isinstance(chunk[0].pending.question, Gradients)
            parts = self._gradients(chunk) if gradients else self._values(chunk)
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
        return frame_points(tally.row, piece.start, piece.stop)

    def _gradients(self, chunk: Sequence[Slice[Tally]]) -> list[Floats]:
        built = [path_points(piece.pending.asker.row, _gradients_of(piece), piece.start, piece.stop) for piece in chunk]
        columns = np.concatenate([np.full(piece.stop - piece.start, piece.pending.asker.row.column) for piece in chunk])
        outputs, gradients = self._model.gradients(self._joined([points for points, _ in built]), columns)
        fetched = self._fetched(outputs, chunk)
        for piece, rows, (points, baselines) in zip(chunk, _cut(chunk), built, strict=True):
            _add_up(piece, {name: gradient[rows] for name, gradient in gradients.items()}, points, baselines)
        return [fetched[rows] for rows in _cut(chunk)]

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

    def _placed(self, coalitions: NDArray[np.bool_]) -> Array:
        known = self._masks.get(id(coalitions))
        if known is None or known[0] is not coalitions:
            if len(self._masks) >= 16:  # a few plans are in use at a time
                self._masks.clear()
            known = self._masks[id(coalitions)] = (coalitions, self._model.place(coalitions))
        return known[1]


def _add_up(piece: Slice[Tally], gradients: dict[str, Array], points: dict[str, Array], baselines: dict[str, Array]) -> None:
    """Add weight * factor * gradient of each point to the question's sums, on the device, in single precision at least."""
    tally, question = piece.pending.asker, _gradients_of(piece)
    row = tally.row
    weights = question.weights[np.arange(piece.start, piece.stop) // row.backgrounds] / row.backgrounds
    for name, gradient in gradients.items():
        weighted = gradient * per_point(row, name, weights, np.float32)
        if question.factor == "difference":
            weighted = weighted * (row.instance[name] - baselines[name])
        total = weighted.sum(0)
        if question.factor == "instance":
            total = total * row.instance[name][0]
        tally.sums[name] = tally.sums[name] + total if name in tally.sums else total


def _gradients_of(piece: Slice[Tally]) -> Gradients:
    question = piece.pending.asker.question
    if not isinstance(question, Gradients):
        raise TypeError("a chunk holds questions of one kind")
    return question


def _cut(chunk: Sequence[Slice[Any]]) -> list[slice]:
    """Where each slice's points are in the joined batch."""
    ends = np.cumsum([piece.stop - piece.start for piece in chunk])
    return [slice(int(end) - (piece.stop - piece.start), int(end)) for piece, end in zip(chunk, ends, strict=True)]
