"""What a quality check may ask: a question about the row, or the method once more on another seed, instance or model."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from workers.game import Game
from workers.questions import Answer, Floats, Question

Moves = Mapping[str, Floats]
"""Input name -> what is added to the instance, shaped like one row."""


@dataclass(frozen=True)
class Shuffle:
    """A model whose top layers' weights are permuted, array by array: `share` of its layers, rounded up."""

    share: float
    seed: int


@dataclass(frozen=True, eq=False)
class Again:
    """The method once more, for the same output; what is given is other than it was. Answer: a `Rerun`."""

    seed: int | None = None
    moves: Moves | None = None
    shuffle: Shuffle | None = None


@dataclass(frozen=True, eq=False)
class Rerun:
    """The map of a run, flat as `Subject.map` is. `shuffled`: the layers whose weights were permuted."""

    map: Floats
    shuffled: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Subject:
    """An explanation as a check sees it.

    `contributions`: what each player is said to add to the output, [players]. `map`: all values as the method gave them, flat.
    `random`: whether the method's answer depends on the seed. `reach`: input of floats -> how far each of its elements moves at
    radius 1, shaped like one row.
    """

    game: Game
    contributions: Floats
    map: Floats
    random: bool = False
    reach: Moves = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """What a check found: plain figures, and what a reader should know of them whatever the verdict."""

    figures: dict[str, Any]
    note: str | None = None


Checking = Generator[list[Question | Again], list[Answer], Finding]
"""A check at work on one explanation: yields questions that may wait together, is sent their answers."""
