"""Rows that belong to sets: examples, concepts, and random rows to compare them with. Checked at the door and by the worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from explainery.contract.errors import ConceptSetTooSmall, InvalidParameter

EXAMPLE = "example"
RANDOM = "random/"
LEAST_ROWS = 5
"""Of each set: a direction that is fitted to fewer rows is mostly those rows."""
LEAST_RANDOM_SETS = 3
"""The spread of what chance gives is measured over them; ten or more are better."""
MOST_CONCEPTS = 100
LOC = "params.sets"


@dataclass(frozen=True)
class ConceptSets:
    """Row numbers by set. `concepts`, `randoms`: by name, in the order in which the names first occur."""

    examples: tuple[int, ...]
    concepts: dict[str, tuple[int, ...]]
    randoms: dict[str, tuple[int, ...]]


def read_sets(labels: Sequence[str] | None, rows: int) -> ConceptSets:
    """The sets that a label per row makes: "example", "random/<k>", or a concept's name.

    Raises InvalidParameter when there is not one label per row, ConceptSetTooSmall when a set is missing or too small.
    """
    if labels is None:
        raise _refused(InvalidParameter, 'must be given: a label per row, "example", a concept\'s name or "random/<k>"')
    if len(labels) != rows:
        raise _refused(InvalidParameter, f"has {len(labels)} labels for {rows} rows")
    members: dict[str, list[int]] = {}
    for row, label in enumerate(labels):
        members.setdefault(label, []).append(row)
    sets = {label: tuple(of) for label, of in members.items()}
    examples = sets.pop(EXAMPLE, ())
    randoms = {label: of for label, of in sets.items() if label.startswith(RANDOM)}
    found = ConceptSets(examples, {label: of for label, of in sets.items() if label not in randoms}, randoms)
    _check(found)
    return found


def _check(sets: ConceptSets) -> None:
    if not sets.concepts:
        raise _refused(ConceptSetTooSmall, "names no concept: label its rows with the concept's name")
    if len(sets.concepts) > MOST_CONCEPTS:
        raise _refused(InvalidParameter, f"names more than {MOST_CONCEPTS} concepts: ask in several jobs")
    if len(sets.randoms) < LEAST_RANDOM_SETS:
        more = f"{LEAST_RANDOM_SETS} at least, better ten"
        raise _refused(ConceptSetTooSmall, f'has {len(sets.randoms)} random sets ("random/<k>"): {more}')
    named = {EXAMPLE: sets.examples, **sets.concepts, **sets.randoms}
    small = [f"{_shown(name)} has {len(rows)}" for name, rows in named.items() if len(rows) < LEAST_ROWS]
    if small:
        listed = ", ".join(small[:5])
        raise _refused(ConceptSetTooSmall, f"makes sets that are too small: each needs {LEAST_ROWS} rows, and {listed}")


def _shown(name: str) -> str:
    """A name that a client made up, where it looks like one."""
    plain = name.replace("/", "_").replace(" ", "_").replace("-", "_")
    return name if ("_" + plain).isidentifier() and len(name) <= 64 else "one of them"


def _refused(cause: type[InvalidParameter] | type[ConceptSetTooSmall], message: str) -> InvalidParameter | ConceptSetTooSmall:
    return cause(f"{LOC} {message}.", [{"loc": LOC, "msg": message}])
