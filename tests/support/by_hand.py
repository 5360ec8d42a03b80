"""A method's questions answered by hand, in float64 NumPy: methods are tested without engine or model.

Everything that was asked is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.draws import gaussian
from workers.game import Game, InputView, Numbers, Partition
from workers.questions import GradientAnswer, Gradients, Outputs, Question, Solution, Values

Array = NDArray[Any]
Function = Callable[[Array], Array]
"""Points [points, *row] -> outputs [points]."""


@dataclass
class Solved:
    """A solution, and what was asked on the way."""

    solution: Solution
    asked: list[Question] = field(default_factory=list)

    @property
    def evaluations(self) -> int:
        return sum(question.evaluations for question in self.asked)

    @property
    def phi(self) -> Array:
        """Values per player, or per element of the only input."""
        if self.solution.per_player is not None:
            return self.solution.per_player
        assert self.solution.per_element is not None
        return self.solution.per_element["input"]


def solve(
    method: Any,
    f: Function,
    x: Any,
    b: Any = 0.0,
    *,
    gradient: Function | None = None,
    labels: Any = None,
    partition: Partition | None = None,
    params: Mapping[str, Any] | None = None,
    seed: int = 0,
    inputs: tuple[InputView, ...] = (),
) -> Solved:
    """Explain f at x against the baseline b with a method module; `gradient` maps points to input gradients.

    A background set is b of one axis more than x, for methods that ask for gradients at one baseline each.
    """
    x = np.asarray(x, dtype=np.float64)
    b = np.asarray(b, dtype=np.float64)
    b = b if b.ndim > x.ndim else np.broadcast_to(b, x.shape).copy()
    labels = np.arange(x.size).reshape(x.shape) if labels is None else np.asarray(labels)
    partition = partition or Partition({"input": labels})
    around = b if b.ndim > x.ndim else b[None]
    numbers = Numbers({"input": x}, {"input": around})
    game = Game(
        partition, float(f(x[None])[0]), float(f(around).mean()), seed, len(around), inputs=inputs, numbers=lambda: numbers
    )
    explaining = method.explain(game, method.SPEC.complete(params or {}))
    asked: list[Question] = []
    answer = None
    while True:
        try:
            question = explaining.send(answer)
        except StopIteration as end:
            return Solved(end.value, asked)
        asked.append(question)
        if isinstance(question, Values):
            present = question.coalitions[:, partition.labels["input"]].astype(np.float64)
            answer = f(present * x + (1 - present) * b)
        elif isinstance(question, Outputs):
            found = f(question.points["input"])
            answer = found.reshape(len(found), -1)
        else:
            answer = _gradients(question, f, gradient, x, b)


def _gradients(question: Gradients, f: Function, gradient: Function | None, x: Array, b: Array) -> GradientAnswer:
    assert gradient is not None, "this function came without its gradient"
    if question.points is not None:
        own = np.asarray(question.points["input"])
        return GradientAnswer({"input": gradient(own)}, f(own))
    if question.baselines is not None and b.shape != x.shape:
        b = b[question.baselines]
    points = b + question.alphas.reshape(-1, *[1] * x.ndim) * (x - b)
    if question.noise is not None:
        noise = question.noise
        draws = [gaussian(noise.seed, "noise/input", noise.first + i, x.shape) for i in range(len(points))]
        points = points + noise.scale * (x.max() - x.min()) * np.stack(draws)
    factor = {"one": 1.0, "instance": x, "difference": x - b}[question.factor]
    found = gradient(points)
    mean = np.tensordot(question.weights, found * factor, axes=1)
    variances = {"input": np.average((found - mean) ** 2, axis=0, weights=question.weights)} if question.variances else {}
    return GradientAnswer({"input": mean}, f(points), variances)


def table_game(values: Mapping[frozenset[int], float] | Callable[[frozenset[int]], float], players: int) -> Function:
    """A cooperative game as a function of 0/1 points."""
    value = values if callable(values) else values.__getitem__
    return lambda points: np.array(
        [value(frozenset(np.flatnonzero(point > 0.5).tolist())) for point in points], dtype=np.float64
    )
