"""The types of parameters, and what is wrong with a value that is none of its type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from explainery.contract import actionability, feature_groups
from explainery.contract.feature_groups import sizes_fault

ParamType = Literal[
    "integer", "number", "boolean", "string", "features", "sizes", "indices", "sets", "tree",
    "actionability", "curves", "grids", "outcome", "truth",
]  # fmt: skip
"""`features`: groups of inputs that move together (see `explainery.contract.feature_groups`).
`sizes`, `indices`: an integer, or one per axis.
`sets`: a label per row of the job (see `explainery.contract.concept_sets`). `tree`: nested lists of names or numbers.
Of tables (see `explainery.contract.tables`):
`actionability`: limits to what may be changed. `curves`: feature names, and pairs of them. `grids`: values by feature name.
`outcome`: "other", a class, or a range of the output. `truth`: the right class or number of each row.
"""


def _integer_fault(value: object) -> str | None:
    return None if isinstance(value, int) and not isinstance(value, bool) else "must be an integer"


def _number_fault(value: object) -> str | None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number:
        return "must be a number"
    return None if abs(float(value)) < float("inf") else "must be finite"  # type: ignore[arg-type]  # narrowed above


def _boolean_fault(value: object) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _string_fault(value: object) -> str | None:
    return None if isinstance(value, str) else "must be a string"


def _indices_fault(value: object) -> str | None:
    indices = value if isinstance(value, (list, tuple)) else [value]
    whole = all(isinstance(index, int) and not isinstance(index, bool) and index >= 0 for index in indices)
    return None if indices and whole else "must be an integer >= 0, or a list of one per axis"


def _sets_fault(value: object) -> str | None:
    named = isinstance(value, (list, tuple)) and value and all(isinstance(label, str) and label for label in value)
    return None if named else "must be a list of labels, one per row"


def _curves_fault(value: object) -> str | None:
    entries = value if isinstance(value, (list, tuple)) else ()
    pairs = [entry if isinstance(entry, (list, tuple)) else [entry] for entry in entries]
    named = all(
        1 <= len(pair) <= 2 and len(set(map(str, pair))) == len(pair) and all(isinstance(name, str) for name in pair)
        for pair in pairs
    )
    return None if pairs and named else "must be a list of feature names, or of pairs of them"


def _grids_fault(value: object) -> str | None:
    good = isinstance(value, Mapping) and value and all(_is_numbers(grid) for grid in value.values())
    return None if good else "must map feature names to lists of numbers"


def _outcome_fault(value: object) -> str | None:
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return None
    if isinstance(value, Mapping) and set(value) == {"range"}:
        ends = value["range"]
        if isinstance(ends, (list, tuple)) and len(ends) == 2 and any(end is not None for end in ends):
            known = [end for end in ends if end is not None]
            if _is_numbers(known) and known == sorted(known):
                return None
    return 'must be "other", a class by index or label, or {"range": [lowest, highest]} with null for an open end'


def _truth_fault(value: object) -> str | None:
    entries = value if isinstance(value, (list, tuple)) else ()
    good = all(isinstance(entry, str) or _number_fault(entry) is None for entry in entries)
    return None if entries and good else "must be a list of classes or numbers, one per row"


def _is_numbers(values: object) -> bool:
    return isinstance(values, (list, tuple)) and bool(values) and all(_number_fault(value) is None for value in values)


MOST_LEVELS = 32


def _tree_fault(value: object) -> str | None:
    fits = isinstance(value, (list, tuple)) and value and all(_is_tree(entry, MOST_LEVELS) for entry in value)
    return None if fits else f"must be nested lists of feature names or numbers, at most {MOST_LEVELS} deep"


def _is_tree(entry: object, levels: int) -> bool:
    if isinstance(entry, (list, tuple)):
        return bool(entry) and levels > 0 and all(_is_tree(each, levels - 1) for each in entry)
    return isinstance(entry, str) or (isinstance(entry, int) and not isinstance(entry, bool) and entry >= 0)


FAULTS: dict[ParamType, Callable[[object], str | None]] = {
    "integer": _integer_fault,
    "number": _number_fault,
    "boolean": _boolean_fault,
    "string": _string_fault,
    "features": feature_groups.fault_of,
    "sizes": sizes_fault,
    "indices": _indices_fault,
    "sets": _sets_fault,
    "tree": _tree_fault,
    "actionability": actionability.fault_of,
    "curves": _curves_fault,
    "grids": _grids_fault,
    "outcome": _outcome_fault,
    "truth": _truth_fault,
}
"""Says what is wrong with a value of a type, or None."""
