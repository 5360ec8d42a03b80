"""Drives the quality checks of one explanation: their questions wait together, and runs of the method go side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from explainery.contract.catalogue import CheckSpec
from explainery.contract.errors import ComputeError
from explainery.contract.job import CheckOrder
from workers.frame import Frame
from workers.game import Params
from workers.plugins import CheckPlugin, Model, Shuffling
from workers.points import Row, numbers_of
from workers.questions import Answer, Question, Solution
from workers.recheck import Again, Finding, Rerun, Shuffle, Subject
from workers.subject import flat_map

TOGETHER = 8
"""Most runs of the method that go side by side for one row: each has a row on the device."""
ABSENT = "The method has no values of this row's inputs that could be checked."
Turn = list[tuple[Row, Question | Frame]]
Turns = Generator[Turn, list[Answer], Any]
Run = Callable[[Row, int | None], Generator[Question | Frame, Answer, Solution]]
"""The method on a row, for the output that was explained; under a seed that is not the job's, where one is given."""


@dataclass(frozen=True, eq=False)
class Check:
    """A check that a job asks for."""

    plugin: CheckPlugin
    params: Params

    @property
    def spec(self) -> CheckSpec:
        """What it is."""
        return self.plugin.SPEC

    def cost(self, players: int, run: int, width: int, *, random: bool) -> int:
        """Evaluations it may cost for one explanation. `run`: of the method; `width`: baselines of each of its own points."""
        if self.spec.random_only and not random:
            return 0
        again = any(param.name == "runs" for param in self.spec.params)
        return self.plugin.cost(players, self.params, run) * (1 if again else width)


@dataclass(eq=False)
class Copies:
    """Models with shuffled weights that a job has had made: its rows share them."""

    made: dict[Shuffle, tuple[Model | None, tuple[str, ...]]] = field(default_factory=dict)

    def of(self, model: Model, shuffle: Shuffle) -> tuple[Model | None, tuple[str, ...]]:
        """The copy and the layers that are shuffled in it; None where the model has no weights."""
        if shuffle not in self.made:
            self.made[shuffle] = _shuffled(model, shuffle)
        return self.made[shuffle]


def checks_of(asked: Sequence[CheckOrder], known: dict[str, CheckPlugin]) -> tuple[Check, ...]:
    """The checks a job asks for. Raises ComputeError where this worker does not have one."""
    for each in asked:
        if each.check not in known:
            raise ComputeError(f"This worker does not have the check {each.check}; are all workers of one version?")
    return tuple(Check(known[each.check], each.params) for each in asked)


def checked(
    checks: Sequence[Check], subject: Subject | None, row: Row, copies: Copies, run: Run
) -> Generator[Turn, list[Answer], dict[str, Finding]]:
    """What each check finds, by its name."""
    found = {}
    for each in checks:
        if subject is None:
            found[each.spec.name] = Finding({}, ABSENT)
        else:
            found[each.spec.name] = yield from _one(each, subject, row, copies, run)
    return found


def _one(each: Check, subject: Subject, row: Row, copies: Copies, run: Run) -> Generator[Turn, list[Answer], Finding]:
    steps = each.plugin.check(subject, each.params)
    answers: list[Any] | None = None
    while True:
        try:
            asked = next(steps) if answers is None else steps.send(answers)
        except StopIteration as done:
            finding: Finding = done.value
            return finding
        answers = []
        for start in range(0, len(asked), TOGETHER):
            answers += yield from side_by_side([_begun(some, row, copies, run) for some in asked[start : start + TOGETHER]])


def _begun(asked: Question | Again, row: Row, copies: Copies, run: Run) -> Turns:
    return _again(asked, row, copies, run) if isinstance(asked, Again) else _asked(asked, row)


def _asked(question: Question, row: Row) -> Turns:
    (answer,) = yield [(row, question)]
    return answer


def _again(asked: Again, row: Row, copies: Copies, run: Run) -> Turns:
    """One run of the method."""
    shuffled: tuple[str, ...] = ()
    if asked.shuffle is not None:
        model, shuffled = copies.of(row.model, asked.shuffle)
        if model is None:
            return Rerun(np.zeros(0))
        row = replace(row, model=model, known_baseline=None, learn_baseline=_forget, vectors=None)
    if asked.moves is not None:
        row = replace(row, instance=row.instance | _moved(row, asked), vectors=None)
        if row.neighbours is not None:
            numbers = numbers_of(row)
            row.neighbours = row.neighbours.moved(numbers.instance, numbers.baselines, row.partition)
    solution = yield from in_turns(row, run(row, asked.seed))
    return Rerun(flat_map(solution), shuffled)


def _forget(outputs: Any) -> None:
    """What a shuffled model says of a baseline is nobody else's to know."""


def _moved(row: Row, asked: Again) -> dict[str, Any]:
    moves = asked.moves or {}
    return {
        name: row.model.place((row.model.fetch(row.instance[name]) + move[None]).astype(row.precision[name]))
        for name, move in moves.items()
    }


def in_turns(row: Row, steps: Generator[Question | Frame, Answer, Any]) -> Turns:
    """A generator of single questions about a row as one of turns."""
    answer: Any = None
    while True:
        try:
            question = steps.send(answer)
        except StopIteration as done:
            return done.value
        (answer,) = yield [(row, question)]


def side_by_side(runs: Sequence[Turns]) -> Generator[Turn, list[Answer], list[Any]]:
    """Several generators of turns as one: what they ask waits together. Gives what each returned, in order."""
    found: list[Any] = [None] * len(runs)
    waiting: dict[int, list[Answer] | None] = dict.fromkeys(range(len(runs)))
    while waiting:
        turns: dict[int, Turn] = {}
        for number, answers in waiting.items():
            try:
                turns[number] = next(runs[number]) if answers is None else runs[number].send(answers)
            except StopIteration as done:
                found[number] = done.value
        waiting = {}
        if turns:
            came = iter((yield [asked for turn in turns.values() for asked in turn]))
            waiting = {number: [next(came) for _ in turn] for number, turn in turns.items()}
    return found


def _shuffled(model: Model, shuffle: Shuffle) -> tuple[Model | None, tuple[str, ...]]:
    if not isinstance(model, Shuffling) or not model.weighted:
        return None, ()
    count = math.ceil(shuffle.share * len(model.weighted) - 1e-9)
    layers = model.weighted[len(model.weighted) - count :]
    return model.shuffled(layers, shuffle.seed), layers
