"""A row's attributions as nested lists, or by name, the way other protocols write them."""

from __future__ import annotations

from typing import Any

from explainery.contract.result import Attribution
from explainery.contract.tensors import own_part
from service.answering_now import Answer


def rows_of(answer: Answer, given: list[Any] | None = None) -> list[dict[str, Any]]:
    """Row by row: input (or layer) -> its attribution, shaped like the row; NumPy's numbers, for an encoder that keeps them.

    `given`: the rows as they came. What was given by feature name is answered by feature name.
    """
    rows = answer.result.explanations
    return [_row(answer, number, None if given is None else given[number]) for number in range(len(rows))]


def _row(answer: Answer, number: int, given: Any) -> dict[str, Any]:
    attributions = answer.result.explanations[number].attributions
    import numpy as np

    by_input = isinstance(given, dict) and set(given) == {each.input for each in attributions}
    found: dict[str, Any] = {}
    for each in attributions:
        values = np.ascontiguousarray(own_part(answer.arrays[f"attributions.{each.input}"][number], each.shape))
        part = given[each.input] if by_input else given
        if isinstance(part, dict) and _nameable(each):
            named = dict(zip(each.features or (), values, strict=True))
            found.update({each.input: named} if by_input else named)
        else:
            found[each.input] = values
    return found


def _nameable(attribution: Attribution) -> bool:
    names = attribution.features
    one_each = names is not None and attribution.shape == (len(names),) and len(set(names)) == len(names)
    return one_each and attribution.offsets is None
