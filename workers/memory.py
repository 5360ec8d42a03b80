"""What a row of a sampling method has been answered: from it come its running estimate, and a job that goes on from there.

A method is a function of its answers, so both are had by running it again: on what is known, without a call of the model.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from explainery.contract.errors import ComputeError
from workers.game import Explaining, Game, Params
from workers.known import Asked, Known
from workers.parts import cut
from workers.plugins import MethodPlugin
from workers.questions import Answer, Floats, GradientAnswer, Gradients, Question, Solution, Values
from workers.stopping import Stop

if TYPE_CHECKING:
    from workers.explaining import RowAnswer
    from workers.points import Row

Shapes = dict[str, tuple[int, ...]]
FRAME = 3
"""Numbers that a tape begins with: the explained column, f(x) and f(b)."""


@dataclass(frozen=True, eq=False)
class Tape:
    """A row's answers in the order in which they came, as numbers. `params`: of the method that asked; `shapes`: of gradients.

    `evaluations`: how many values or points they are of.

    The frame comes first; then for each answer how many values or points it is of, and its numbers.
    """

    params: Params
    shapes: Shapes
    numbers: Floats
    evaluations: int


class Spent(Exception):
    """A part of a question is not asked: the budget does not pay for it."""


@dataclass(eq=False)
class Memory:
    """One row's. `params`: its own, where a budget leaves it less than the job asks for. `before`: what an earlier job knew.

    `pieces`: whether large questions are asked in pieces, so that there is an estimate soon. `limit`: why `params` allow less.
    """

    method: MethodPlugin
    params: Params
    before: Tape | None = None
    pieces: bool = False
    limit: str | None = None
    left: int | None = None
    """Evaluations that its budget still pays for, of each baseline, where it goes on from an earlier job."""
    known: Known = field(default_factory=Known)
    log: list[Answer] = field(default_factory=list)
    conclude: Callable[[Solution], RowAnswer] | None = None
    """A solution -> the row's answer; from when its outputs are known."""
    _game: Game | None = None
    _frame: tuple[float, float, float] = (math.nan, math.nan, math.nan)
    _now: Asked | None = None

    def recalls(self, row: Row, game: Game) -> bool:
        """Whether an earlier job knew the outputs that frame the answer; they are noted then."""
        if self.before is None:
            return False
        column, game.instance_output, game.baseline_output = self.before.numbers[:FRAME].tolist()
        row.column = int(column)
        return True

    def explaining(self, game: Game, column: int, conclude: Callable[[Solution], RowAnswer]) -> Explaining:
        """The method at work on the row: what is known is not asked, and every answer is kept."""
        self._game, self.conclude = game, conclude
        self._frame = float(column), game.instance_output, game.baseline_output
        if self.before is not None:
            self.known = relived(self.method, game, self.before)
        try:
            solution = yield from self._answered(self.method.explain(game, self.params))
        except Spent:
            solution = self._cut_short()
        self._now = None
        return self._judged(solution)

    def _answered(self, steps: Explaining) -> Explaining:
        answer: Answer = None
        while True:
            try:
                question = steps.send(answer)
            except StopIteration as done:
                solution: Solution = done.value
                return solution
            answer = yield from self._ask(question)
            self.log.append(answer)

    def _ask(self, question: Question) -> Generator[Question, Answer, Answer]:
        self._now = now = Asked(question, self.known, self.pieces)
        for part in now.parts():
            if self.left is not None:
                self.left -= part.evaluations
                if self.left < 0:
                    raise Spent
            answer = yield part
            now.take(part, answer)
        return now.answer()

    def _cut_short(self) -> Solution:
        """What is known when the budget is spent. Raises ComputeError when that is nothing."""
        known = self._now.answer() if self._now is not None else None
        solution = self.estimate(known if known is None or len_of(known) else None)
        if solution is None:
            raise ComputeError("The budget is too small for an estimate; raise it.")
        self.limit = self.limit or "The budget ended it."
        if known is not None:
            self.log.append(known)
        return solution

    def _judged(self, solution: Solution) -> Solution:
        """What its budget cut short has not converged, unless it has."""
        if self.limit is None or solution.converged:
            return solution
        return replace(solution, converged=False, notes=(*solution.notes, self.limit))

    def beginning(self, part: Question, answer: Answer) -> Answer:
        """What is known of the question being answered. `answer`: that to the beginning of its last part, or None."""
        return None if self._now is None else self._now.with_beginning(part, answer)

    def estimate(self, beginning: Answer) -> Solution | None:
        """What the method would say if no more answers came; None where that is nothing."""
        if self._game is None:
            return None
        steps = self.method.explain(self._game, self.params)
        with contextlib.closing(steps):
            try:
                next(steps)
                for answer in self.log:
                    steps.send(answer)
                steps.throw(Stop(beginning))
            except StopIteration as done:
                solution: Solution = done.value
                return solution
            except Stop:
                return None
        return None  # it does not know how to stop

    def end(self, beginning: Answer, why: str) -> RowAnswer | None:
        """End the row with what is known; None where that is nothing."""
        solution = self.estimate(beginning)
        if solution is None or self.conclude is None:
            return None
        if beginning is not None:
            self.log.append(beginning)
        if not solution.converged:
            solution = replace(solution, converged=False, notes=(*solution.notes, why))
        return self.conclude(solution)

    @property
    def tape(self) -> Tape:
        """All that was answered."""
        shapes: Shapes = {}
        numbers: list[Floats] = [np.array(self._frame)]
        count = sum(map(len_of, self.log))
        for answer in self.log:
            if isinstance(answer, GradientAnswer):
                shapes = {name: part.shape for name, part in answer.sums.items()}
                parts = [answer.outputs, *answer.sums.values(), *answer.variances.values()]
                numbers += [np.array([len(answer.outputs)]), *(part.reshape(-1) for part in parts)]
            else:
                numbers += [np.array([len(answer)]), answer]
        return Tape(self.params, shapes, np.concatenate(numbers, dtype=np.float64), count)


def len_of(answer: Answer) -> int:
    """How many values or points an answer is of."""
    return len(answer.outputs if isinstance(answer, GradientAnswer) else answer)


def relived(method: MethodPlugin, game: Game, tape: Tape) -> Known:
    """What a tape says about a row: the method that asked asks again, and hears the same."""
    known, at = Known(), FRAME
    steps = method.explain(game, tape.params)
    with contextlib.closing(steps), contextlib.suppress(StopIteration):
        question = next(steps)
        while at < len(tape.numbers):
            count = int(tape.numbers[at])
            answer, at = _read(tape, question, count, at + 1)
            if count < question.evaluations:
                known.learn(cut(question, count)[0] if isinstance(question, Gradients) else question, answer)
                break
            known.learn(question, answer)
            question = steps.send(answer)
    return known


def _read(tape: Tape, question: Question, count: int, at: int) -> tuple[Answer, int]:
    """An answer of a tape to `count` values or points, and where the next one begins."""
    outputs, at = tape.numbers[at : at + count], at + count
    if isinstance(question, Values):
        return outputs, at
    found: list[dict[str, Floats]] = []
    for wanted in (True, isinstance(question, Gradients) and question.variances):
        parts = {}
        for name, shape in tape.shapes.items() if wanted else ():
            size = math.prod(shape)
            parts[name], at = tape.numbers[at : at + size].reshape(shape), at + size
        found.append(parts)
    return GradientAnswer(found[0], outputs, found[1]), at
