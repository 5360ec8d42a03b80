"""One row's explanation problem, as a method sees it: players, shapes, and the two outputs that frame the answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.layers import LayerSpec
from workers.questions import Answer, Floats, Question, Solution
from workers.text.units import Units


@dataclass(frozen=True, eq=False)
class Partition:
    """Which elements of the inputs move together: a label per element, counted over all inputs.

    `labels`: input name -> int64 array shaped like one row, values 0 .. players-1. Each player lies in one input, and an
    input's players are consecutive numbers. -1: an element that never plays, whose baseline is its own value.
    `names`: a name per player, for the inputs whose players have names.
    `grouped`: the inputs whose attributions are reported per player, and not spread over the elements.
    `texts`: the cut of the inputs that are texts into the pieces that are reported.
    """

    labels: dict[str, NDArray[np.int64]]
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    grouped: frozenset[str] = frozenset()
    texts: Mapping[str, Units] = field(default_factory=dict)

    @cached_property
    def players(self) -> int:
        """How many players there are."""
        return 1 + max(int(label.max()) for label in self.labels.values())

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Elements of each player, int64 [players]."""
        everything = np.concatenate([label.reshape(-1) for label in self.labels.values()])
        return np.bincount(everything[everything >= 0], minlength=self.players)

    def of_input(self, name: str) -> slice:
        """The players that live in input `name`."""
        label = self.labels[name]
        playing = label[label >= 0]
        return slice(int(playing.min()), int(playing.max()) + 1) if playing.size else slice(0, 0)


@dataclass(frozen=True)
class InputView:
    """What a method may know of an input: its name, one row's shape, and how it is laid out where it is a picture."""

    name: str
    shape: tuple[int, ...]
    modality: str = "tensor"
    layout: str | None = None


@dataclass(frozen=True, eq=False)
class Numbers:
    """A row in float64, off the device. `instance`: input -> [*row]; `baselines`: input -> [B, *row]."""

    instance: Mapping[str, Floats]
    baselines: Mapping[str, Floats]


def _no_numbers() -> Numbers:
    raise TypeError("this game was made without its row's numbers")


@dataclass(eq=False)
class Game:
    """One row: `players` of `partition`, f(x) and f(b) (the mean over `backgrounds` baselines), and the job's seed.

    The outputs of a method that asks for nothing but internals come in with its first answer.
    `layers`: the layers that the job's parameters name, in the model's order. `inputs`: in the card's order.
    `numbers`: fetches the row itself, for methods that make points of their own.
    """

    partition: Partition
    instance_output: float = math.nan
    baseline_output: float = math.nan
    seed: int = 0
    backgrounds: int = 1
    shares: Floats | None = None
    """What each baseline weighs, [backgrounds]; None: all the same."""
    layers: tuple[LayerSpec, ...] = ()
    inputs: tuple[InputView, ...] = ()
    numbers: Callable[[], Numbers] = _no_numbers

    @property
    def players(self) -> int:
        """How many players there are."""
        return self.partition.players

    @property
    def difference(self) -> float:
        """f(x) - f(b): what a complete attribution sums to."""
        return self.instance_output - self.baseline_output


Explaining = Generator[Question, Answer, Solution]
"""A method at work on one row: yields questions, is sent their answers, returns a solution."""

Params = Mapping[str, Any]
