"""What has been answered about a row before, by what was asked: a job that refines another asks for the rest alone."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.parts import begins, cut, joined, share
from workers.questions import Answer, Floats, GradientAnswer, Gradients, Question, Values


@dataclass(eq=False)
class Known:
    """Values by coalition, and gradients by their points. `evaluations`: how many there are, per baseline."""

    evaluations: int = 0
    _values: dict[bytes, float] = field(default_factory=dict)
    _gradients: list[tuple[Gradients, GradientAnswer]] = field(default_factory=list)

    def learn(self, question: Question, answer: Answer) -> None:
        """Take in an answer; that to a `Values` question may be short."""
        if isinstance(question, Values):
            self._values.update(zip(_keys(question.coalitions[: len(answer)]), answer.tolist(), strict=True))
            self.evaluations += len(answer)
        elif isinstance(question, Gradients):
            self._gradients.append((question, answer))
            self.evaluations += question.evaluations

    def values(self, coalitions: NDArray[Any]) -> Floats:
        """Values of the coalitions, [coalitions]; NaN where they are not known."""
        if not self._values:
            return np.full(len(coalitions), np.nan)
        return np.array([self._values.get(each, np.nan) for each in _keys(coalitions)])

    def gradients(self, question: Gradients) -> tuple[int, GradientAnswer | None]:
        """How many of the question's first points are known, and the answer to these."""
        best: tuple[int, GradientAnswer | None] = (0, None)
        for other, answer in self._gradients:
            if len(other.alphas) > best[0] and begins(question, other):
                best = (len(other.alphas), answer)
        return best


@dataclass(eq=False)
class Asked:
    """One question being answered, part by part. `pieces`: whether in pieces that double, so that some is known soon."""

    question: Question
    known: Known
    pieces: bool = False
    _values: Floats = field(default_factory=lambda: np.zeros(0))
    _gradients: GradientAnswer | None = None
    _points: int = 0

    def parts(self) -> Iterator[Question]:
        """What is left to ask; `take` its answer before the next."""
        if isinstance(self.question, Values):
            yield from self._values_left(self.question)
        elif isinstance(self.question, Gradients):
            self._points, self._gradients = self.known.gradients(self.question)
            count = len(self.question.alphas)
            while self._points < count:
                after = cut(self.question, self._points)[1] if self._points else self.question
                some = self._size(self._points, count - self._points)
                yield cut(after, some)[0] if some < len(after.alphas) else after
        else:
            raise TypeError("a sampling method asks for values or gradients")

    def _values_left(self, question: Values) -> Iterator[Values]:
        self._values = self.known.values(question.coalitions)
        left = np.flatnonzero(np.isnan(self._values))
        if len(left) == len(self._values) and not self.pieces:
            yield question  # the very array: rows that share it share its masks
            return
        while len(left):
            some = self._size(len(self._values) - len(left), len(left))
            yield Values(question.coalitions[left[:some]])
            left = left[some:]

    def _size(self, done: int, left: int) -> int:
        return min(left, max(FIRST_PIECE, done)) if self.pieces else left

    def take(self, part: Question, answer: Answer) -> None:
        """Take in the answer to the last part, or to its beginning."""
        if isinstance(part, Values):
            left = np.flatnonzero(np.isnan(self._values))
            self._values[left[: len(answer)]] = answer
        elif isinstance(self.question, Gradients):
            self._gradients, self._points = self._with(answer), self._points + len(answer.outputs)

    def _with(self, answer: GradientAnswer) -> GradientAnswer:
        if self._gradients is None or not isinstance(self.question, Gradients):
            return answer
        reached = cut(self.question, self._points + len(answer.outputs))[0]
        return joined(self._gradients, answer, share(reached, self._points))

    def with_beginning(self, part: Question, answer: Answer) -> Answer:
        """What the answer would be if no more came than this answer to the last part's beginning (None: none of it)."""
        if answer is None:
            return self.answer()
        other = copy.copy(self)
        other._values = self._values.copy()
        other.take(part, answer)
        return other.answer()

    def answer(self) -> Answer:
        """What is known of the answer: the whole, or that to the question's beginning; None where nothing is."""
        if isinstance(self.question, Gradients):
            return self._gradients
        unknown = np.flatnonzero(np.isnan(self._values))
        return self._values[: unknown[0]] if len(unknown) else self._values


FIRST_PIECE = 32


def _keys(coalitions: NDArray[Any]) -> Sequence[bytes]:
    rows = np.packbits(coalitions, axis=1) if coalitions.dtype == np.bool_ else np.ascontiguousarray(coalitions)
    return [row.tobytes() for row in rows]
