"""A check's questions answered by hand: checks are tested without engine, model or method. Everything asked is recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.game import Game, Partition
from workers.questions import Values
from workers.recheck import Again, Finding, Rerun, Subject

Array = NDArray[Any]
Game01 = Callable[[Array], Array]
"""Who is present, 0/1 [coalitions, players] -> outputs [coalitions]."""


@dataclass
class Checked:
    """A finding, and what was asked on the way."""

    finding: Finding
    asked: list[Any] = field(default_factory=list)

    def __getitem__(self, figure: str) -> Any:
        return self.finding.figures[figure]

    @property
    def evaluations(self) -> int:
        return sum(question.evaluations for question in self.asked if isinstance(question, Values))

    @property
    def again(self) -> list[Again]:
        return [question for question in self.asked if isinstance(question, Again)]


def linear(weights: Any, bias: float = 0.0) -> Game01:
    """An additive game: x = 1, b = 0 in every player."""
    return lambda present: present.astype(np.float64) @ np.asarray(weights, dtype=np.float64) + bias


def product(present: Array) -> Array:
    """The game x1 * x2 at x = (1, 1), b = (0, 0)."""
    return present.astype(np.float64).prod(axis=1)


def check(
    plugin: Any,
    values: Any,
    game01: Game01,
    *,
    params: Mapping[str, Any] | None = None,
    again: Callable[[Again], Rerun] | None = None,
    random: bool = False,
    reach: Any = None,
    seed: int = 0,
) -> Checked:
    """Run a check on an explanation of `values` per player."""
    phi = np.asarray(values, dtype=np.float64)
    n = len(phi)
    ends = game01(np.array([[1] * n, [0] * n]))
    game = Game(Partition({"input": np.arange(n)}), float(ends[0]), float(ends[1]), seed)
    subject = Subject(game, phi, phi, random, {"input": np.ones(n) if reach is None else np.asarray(reach, dtype=np.float64)})
    steps = plugin.check(subject, plugin.SPEC.complete(params or {}, "quality.0"))
    asked: list[Any] = []
    answers: Any = None
    while True:
        try:
            turn = steps.send(answers)
        except StopIteration as end:
            return Checked(end.value, asked)
        asked += turn
        answers = [game01(question.coalitions) if isinstance(question, Values) else again(question) for question in turn]
