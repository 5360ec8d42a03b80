"""Every element of a row's attributions, the largest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from explainery.figures.subject import Piece
from explainery.figures.words import feature_names, feature_values


@dataclass(frozen=True)
class Contribution:
    """One element: its name, the given value in words, the amount and its standard error."""

    name: str
    value: str | None
    amount: float
    error: float | None = None


def contributions(pieces: Sequence[Piece]) -> list[Contribution]:
    """Of all pieces, by size; the input's name goes before a feature's when there are several inputs."""
    found = []
    for piece in pieces:
        amounts = piece.values.reshape(-1).tolist()
        errors = [None] * len(amounts) if piece.errors is None else piece.errors.reshape(-1).tolist()
        before = f"{piece.input}: " if len(pieces) > 1 and piece.features is None and not piece.layer else ""
        for name, value, amount, error in zip(feature_names(piece), feature_values(piece), amounts, errors, strict=True):
            found.append(Contribution(before + name, value, amount, error))
    return sorted(found, key=lambda part: -abs(part.amount))
