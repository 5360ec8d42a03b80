"""The largest elements of a row's attributions with their names and values, and what all the others come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from explainery.figures.subject import Piece
from explainery.figures.words import feature_name, feature_value


@dataclass(frozen=True)
class Contribution:
    """One element: its name, the given value in words, the amount and its standard error."""

    name: str
    value: str | None
    amount: float
    error: float | None = None


@dataclass(frozen=True)
class Ranked:
    """The largest, by size, and how many others there are, with their sum."""

    largest: tuple[Contribution, ...]
    others: int
    others_sum: float

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.largest) + self.others


def ranked(pieces: Sequence[Piece], most: int) -> Ranked:
    """The `most` largest over all pieces; the input's name goes before a feature's when there are several inputs."""
    import numpy as np

    amounts = np.concatenate([piece.values.reshape(-1) for piece in pieces])
    owners = np.repeat(np.arange(len(pieces)), [piece.values.size for piece in pieces])
    starts = np.cumsum([0, *(piece.values.size for piece in pieces)])
    order = np.argsort(-np.abs(amounts), kind="stable")
    largest = [
        _contribution(pieces[owners[place]], int(place - starts[owners[place]]), several=len(pieces) > 1)
        for place in order[:most].tolist()
    ]
    rest = order[most:]
    return Ranked(tuple(largest), len(rest), float(amounts[rest].sum()))


def _contribution(piece: Piece, place: int, *, several: bool) -> Contribution:
    name = feature_name(piece, place)
    if several and not name.startswith(f"{piece.layer or piece.input}["):  # a name by place says the input already
        name = f"{piece.input}: {name}"
    error = None if piece.errors is None else float(piece.errors.reshape(-1)[place])
    return Contribution(name, feature_value(piece, place), float(piece.values.reshape(-1)[place]), error)
