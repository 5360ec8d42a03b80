"""Answers a chunk: builds its points on the device, calls the model once, and gives every question its part."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import ExplaineryError, MethodUnavailable, ModelFailed, ModelOutputNotFinite
from explainery.contract.links import margin_wanted
from workers.batching import Slice
from workers.device import ran_out_of_memory
from workers.embedded import add_up_embedded, between, embed, needs_vectors, per_unit, probe_inside, probe_of, walk
from workers.frame import Frame
from workers.looks import add_up_inside, answer_of, kind_of, shown
from workers.parts import cut, share
from workers.plugins import Array, Inside, Model, Wooded
from workers.points import Row, baselines_in, coalition_points, frame_points, own_points, path_points
from workers.questions import (
    Answer,
    Floats,
    GradientAnswer,
    Gradients,
    Internals,
    Margin,
    Outputs,
    Question,
    TreeAnswer,
    Trees,
    Values,
)
from workers.single_looks import fetched, is_single, multiplied, take
from workers.spread import EACH, add_spread, spread_of
from workers.sums import Sums, add_up


@dataclass(eq=False)
class Tally:
    """What has come in for one question."""

    row: Row
    question: Question | Frame
    outputs: Floats = field(init=False)
    """[evaluations, columns] for a frame or outputs, for trees as `_trees` says, else [evaluations]."""
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
            walks = bool(self.row.text) and between(self.question)
            return ("internals", *kind_of(self.question), walks, self.row.shape_key)
        if isinstance(self.question, Trees):
            return ("trees", self.question.margin, self.row.shape_key)
        return ("gradients" if isinstance(self.question, Gradients) else "values", self.row.shape_key)

    def answer(self) -> Answer:
        """The answer, once every evaluation is in. Raises ModelOutputNotFinite when a gradient is not."""
        count = baselines_in(self.row, self.question)
        if isinstance(self.question, Frame):
            return self.question.answer(self.outputs, self.row.shares)
        if isinstance(self.question, Outputs):
            return self.outputs
        if isinstance(self.question, Trees):
            return self._of_trees(self.row.mean(self.outputs[None])[0], self.question)
        outputs = self._mean(self.outputs, count)
        if isinstance(self.question, Values):
            return outputs
        sums = self.sums.fetched(self.row.model)
        if isinstance(self.question, Internals):
            sums |= {"inputs": per_unit(self.row, sums.get("inputs", {}))}
            return answer_of(sums, outputs, self.sums, self.row.column)
        return GradientAnswer(per_unit(self.row, sums["inputs"]), outputs, spread_of(self.row, self.question, sums))

    def _of_trees(self, found: Floats, question: Trees) -> TreeAnswer:
        """The values of the players; with a margin, its two ends follow them."""
        link = cast(Wooded, self.row.model).link if question.margin else None
        players = found[: self.row.partition.players]
        return TreeAnswer(players, None if link is None else Margin(link, float(found[-2]), float(found[-1])))

    def beginning(self, evaluations: int) -> Answer:
        """The answer to the question's beginning, when so many evaluations are in; None where that is nothing.

        Raises ModelOutputNotFinite when a gradient is not.
        """
        count = baselines_in(self.row, self.question)
        points = evaluations // count
        if not points:
            return None
        if isinstance(self.question, Values):
            return self._mean(self.outputs[: points * count], count)
        if not isinstance(self.question, Gradients) or count > 1:
            return None
        part, whole = share(self.question, points), self.sums.fetched(self.row.model)
        shares = {what: 1.0 if what == EACH else part for what in whole}
        sums = {what: {name: array / shares[what] for name, array in of.items()} for what, of in whole.items()}
        first = cut(self.question, points)[0]
        return GradientAnswer(per_unit(self.row, sums["inputs"]), self.outputs[:points], spread_of(self.row, first, sums))

    def _mean(self, outputs: Floats, count: int) -> Floats:
        """The mean over the `count` baselines that a point takes, [points]."""
        by_point = outputs.reshape(-1, count)
        return self.row.mean(by_point) if count == self.row.backgrounds and count > 1 else by_point.mean(axis=1)

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
            elif isinstance(question, Trees):
                parts = self._trees(chunk)
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
            whole = isinstance(tally.question, (Frame, Outputs))
            parts.append(fetched[rows] if whole else fetched[rows, tally.row.column])
        return parts

    def _trees(self, chunk: Sequence[Slice[Tally]]) -> list[Floats]:
        """Shapley values against each row's baselines, [baselines, players]: rows of the same players share a call.

        With a margin, that at the instance and at the baseline follow, [baselines, players + 2].
        """
        if not hasattr(self._model, "shapley"):
            raise MethodUnavailable("This model is no sum of trees; use a method that asks for values.")
        model, parts = cast(Wooded, self._model), list[Floats]()
        margin = cast(Trees, chunk[0].pending.asker.question).margin
        if model.link is not None and not margin:
            raise margin_wanted(model.link)
        for partition, pieces in groupby(chunk, key=lambda piece: piece.pending.asker.row.partition):
            some = list(pieces)
            rows = [(piece.pending.asker.row, piece.stop - piece.start) for piece in some]
            instances = self._joined([{name: x.repeat(n, 0) for name, x in row.instance.items()} for row, n in rows])
            around = [
                {name: b[p.start : p.stop] for name, b in row.baselines.items()} for p, (row, _) in zip(some, rows, strict=True)
            ]
            columns = np.repeat([row.column for row, _ in rows], [n for _, n in rows])
            joined = self._joined(around)
            found = model.shapley(instances, joined, columns, partition.labels)
            if margin:
                ends = [model.margins(instances, columns), model.margins(joined, columns)]
                found = np.concatenate([found, np.stack(ends, axis=1)], axis=1)
            parts += [found[rows] for rows in _cut(some)]
        return parts

    def _forward_points(self, piece: Slice[Tally]) -> dict[str, Array]:
        tally = piece.pending.asker
        if isinstance(tally.question, Values):
            return coalition_points(tally.row, tally.question, self._placed(tally.question.coalitions), piece.start, piece.stop)
        if isinstance(tally.question, Outputs):
            return own_points(tally.row, tally.question.points, piece.start, piece.stop)
        assert isinstance(tally.question, Frame)  # noqa: S101  # a chunk of values has no other questions
        wanted = tally.question
        return frame_points(tally.row, piece.start, piece.stop, instance=wanted.instance, baseline=wanted.baseline)

    def _gradients(self, chunk: Sequence[Slice[Tally]]) -> list[Floats]:
        if chunk[0].pending.asker.row.embedding is not None:
            return self._embedded(chunk)
        built = [path_points(piece.pending.asker.row, _gradients_of(piece), piece.start, piece.stop) for piece in chunk]
        columns = np.concatenate([np.full(piece.stop - piece.start, piece.pending.asker.row.column) for piece in chunk])
        outputs, gradients = self._model.gradients(self._joined([points for points, _ in built]), columns)
        fetched = self._fetched(outputs, chunk)
        for piece, rows, (_, baselines) in zip(chunk, _cut(chunk), built, strict=True):
            tally, question = piece.pending.asker, _gradients_of(piece)
            found = {name: part[rows] for name, part in gradients.items()}
            if question.points is not None:
                for name, part in found.items():
                    tally.sums.keep("inputs", name, part)
                continue
            add_up(tally.sums, tally.row, question, piece, found, baselines)
            if question.variances:
                add_spread(tally.sums, tally.row, question, piece, found)
        return [fetched[rows] for rows in _cut(chunk)]

    def _embedded(self, chunk: Sequence[Slice[Tally]]) -> list[Floats]:
        """Gradients along a path through the vectors of a text."""
        rows = [piece.pending.asker.row for piece in chunk]
        embed(self._inside, rows)
        walks = [walk(row, _gradients_of(piece), piece) for row, piece in zip(rows, chunk, strict=True)]
        columns = np.concatenate([np.full(piece.stop - piece.start, piece.pending.asker.row.column) for piece in chunk])
        start = self._model.xp.concatenate([each.start for each in walks])
        seen = self._inside.internals(self._joined([each.inputs for each in walks]), columns, probe_of(rows), start)
        scores = self._fetched(seen.scores, chunk)
        for piece, part, at in zip(chunk, _cut(chunk), walks, strict=True):
            tally = piece.pending.asker
            add_up_embedded(tally.sums, tally.row, _gradients_of(piece), piece, seen, part, at)
        return [scores[part] for part in _cut(chunk)]

    def _internals(self, chunk: Sequence[Slice[Tally]], question: Internals) -> list[Floats]:
        """Ask for what the chunk's probe shows; rows whose target is the largest output learn which it is."""
        probe, first = question.probe, chunk[0].pending.asker.row
        if needs_vectors(first, question):
            probe = probe_inside(first, question)
            embed(self._inside, [piece.pending.asker.row for piece in chunk])
        looks = [shown(piece.pending.asker.row, _internals_of(piece), piece) for piece in chunk]
        columns = np.concatenate([np.full(piece.stop - piece.start, piece.pending.asker.row.column) for piece in chunk])
        start = None if looks[0].start is None else self._model.xp.concatenate([look.start for look in looks])
        single = all(is_single(_internals_of(p), look, p.pending.evaluations) for p, look in zip(chunk, looks, strict=True))
        moved = question.probe.paired or (single and question.factor == "difference")
        points, around = self._joined([look.points for look in looks]), None
        if moved:
            around = self._joined([look.baselines for look in looks])
        seen = self._inside.internals(points, columns, probe, start, around if question.probe.paired else None)
        scores, targets = self._fetched(seen.scores, chunk), self._model.fetch(seen.columns).astype(np.int64)
        beside = None if seen.references is None else self._model.fetch(seen.references)
        whole = fetched(self._model, multiplied(question, seen, points, around)) if single else []
        for number, (piece, rows, look) in enumerate(zip(chunk, _cut(chunk), looks, strict=True)):
            tally = piece.pending.asker
            if tally.row.column < 0:
                tally.row.column = int(targets[rows][0])
            if beside is not None:
                tally.sums.note_references(beside[rows][:, tally.row.column])
            if single:
                take(tally.sums, whole, number)
            else:
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
