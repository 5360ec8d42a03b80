"""What one request brings back, and whether it is all that was asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import RemoteAnswerInvalid
from explainery.contract.model_card import OutputSpec


@dataclass(frozen=True, eq=False)
class Answer:
    """The explained output [rows, *columns], and the version of the model that the far side says has answered."""

    values: NDArray[np.float64]
    version: str | None = None


def check_shape(shape: tuple[int, ...], output: OutputSpec, rows: int) -> None:
    """Raise RemoteAnswerInvalid unless there is a row for each row asked, shaped as the card says."""
    if shape[:1] != (rows,):
        told = f"{shape[0]} rows" if shape else "no rows"
        raise RemoteAnswerInvalid(f"The far side was asked about {rows} rows and answered {told}.")
    wanted = output.shape[1:]
    if len(shape) != len(output.shape) or any(want not in (-1, size) for size, want in zip(shape[1:], wanted, strict=True)):
        raise RemoteAnswerInvalid(
            f"The far side's output {output.name} has rows of shape {list(shape[1:])}, the card says {list(wanted)}."
        )
