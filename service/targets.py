"""`target` -> which output column each row explains, checked against the card."""

from __future__ import annotations

from typing import Any, Literal

from explainery.contract.errors import InvalidTarget
from explainery.contract.model_card import ModelCard, OutputSpec
from service.faults import fault

Target = int | Literal["predicted"] | None


def read_target(target: Any, card: ModelCard, rows: int) -> tuple[Target, ...]:
    """One target per row: "predicted", an index, or None for an output of one column. Raises InvalidTarget."""
    output = card.score_output
    if not isinstance(target, list):
        return (_one(target, output, "target"),) * rows
    if len(target) != rows:
        raise fault(InvalidTarget, "target", f"lists {len(target)} targets for {rows} rows; give one per row, or one for all")
    return tuple(_one(each, output, f"target.{row}") for row, each in enumerate(target))


def _one(target: Any, output: OutputSpec, loc: str) -> Target:
    index = _index(target, output, loc)
    return None if output.columns == 1 else index


def _index(target: Any, output: OutputSpec, loc: str) -> Target:
    if target is None:
        if output.columns != 1:
            raise fault(InvalidTarget, loc, f"must not be null: {_choices(output)}")
        return None
    if isinstance(target, str):
        return "predicted" if target == "predicted" else _labelled(target, output, loc)
    if target < 0 or (output.columns is not None and target >= output.columns):
        raise fault(InvalidTarget, loc, f"is out of range: {_choices(output)}")
    return int(target)


def _labelled(label: str, output: OutputSpec, loc: str) -> int:
    if output.labels is None:
        raise fault(InvalidTarget, loc, f"is a label, but the card names none: {_choices(output)}")
    if label not in output.labels:
        raise fault(InvalidTarget, loc, f"is not a label of output {output.name}: {_choices(output)}")
    return output.labels.index(label)


def _choices(output: OutputSpec) -> str:
    """What may be asked of this output."""
    if output.columns == 1:
        return f'output {output.name} has one column; use null or "predicted"'
    last = "" if output.columns is None else f" to {output.columns - 1}"
    labels = output.labels or ()
    named = ", ".join(labels[:12]) + (", ..." if len(labels) > 12 else "")
    return f'use "predicted", an index from 0{last}' + (f", or a label: {named}" if labels else "")
