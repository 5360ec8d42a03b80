"""The rows of a job as they travel: arrays by their stored names, and what is known about their shapes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from explainery.contract.errors import InvalidInput, PayloadTooLarge
from explainery.contract.model_card import InputSpec, ModelCard
from service.faults import fault

if TYPE_CHECKING:
    from numpy.typing import NDArray

ANY = -1
"""An axis of any length."""


@dataclass(frozen=True, eq=False)
class Rows:
    """`arrays`: stored name -> array (see `JobSpec`).

    `shapes`: input name -> shape of one row, ANY where only a worker can tell.
    `encodings`: input name -> media type of inputs that a worker decodes.
    """

    count: int
    arrays: dict[str, NDArray[Any]]
    shapes: dict[str, tuple[int, ...]]
    encodings: dict[str, str] = field(default_factory=dict)


def fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Say whether a shape is the one wanted, ANY on either side matching all lengths but zero."""
    pairs = zip(shape, wanted, strict=False)
    return len(shape) == len(wanted) and all(ANY in (a, b) or a == b for a, b in pairs) and 0 not in shape


def check_row_shape(spec: InputSpec, shape: tuple[int, ...], loc: str) -> None:
    """Raise InvalidInput when one row does not have the card's shape."""
    if len(shape) != len(spec.row_shape):
        raise fault(InvalidInput, loc, f"has {len(shape)} axes per row, input {spec.name} needs {_written(spec)}")
    if not fits(shape, spec.row_shape):
        raise fault(InvalidInput, loc, f"does not have the row shape of input {spec.name}, {_written(spec)} (-1: any)")


def check_none_filled(names: Iterable[str], card: ModelCard, loc: str) -> None:
    """Raise InvalidInput when an input is sent that a tokenizer fills."""
    known = set(names)
    for spec in card.inputs:
        if spec.filled and spec.name in known:
            text = card.text_of(spec).name
            raise fault(InvalidInput, loc, f"names {spec.name}, which the tokenizer of input {text} fills: leave it out")


def check_count(count: int, max_rows: int, loc: str) -> None:
    """Raise InvalidInput when there are no rows, PayloadTooLarge when there are too many."""
    if count < 1:
        raise fault(InvalidInput, loc, "must hold at least one row")
    if count > max_rows:
        message = f"holds too many rows; one job may have {max_rows}: split it"
        raise PayloadTooLarge(f"{loc} {message}", max_rows, "rows")


def _written(spec: InputSpec) -> str:
    return f"{len(spec.row_shape)}: {list(spec.row_shape)}"
