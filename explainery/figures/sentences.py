"""What a report of single rows says of each of them, in the sentence that its figure has."""

from __future__ import annotations

from collections.abc import Iterator

from explainery.contract.model_card import ModelCard
from explainery.contract.result import Result
from explainery.figures.gallery import kind_of
from explainery.figures.subject import read_subject

OF_ROWS = ("rule", "changes")
"""Kinds of figures that are drawn of a row of a report."""


def sentences(result: Result, card: ModelCard | None, most: int) -> Iterator[str]:
    """One for each of the first `most` rows of which there is something to say. `card`: for units, where it is known."""
    report = result.report or {}
    rows = report.get("rows")
    told = rows if isinstance(rows, list) else []
    document = {"model": {"name": result.model.name}, "method": result.method, "explanations": [], "report": report}
    for row in range(min(len(told), most)):
        subject = read_subject(document, row, card)
        kinds = [kind for kind in map(kind_of, OF_ROWS) if kind.unfit(subject) is None]
        said = [kind.draw(subject).reading for kind in kinds]
        notes = (told[row].get("quality") or {}).get("notes") or ()
        if said or notes:
            yield f"row {row}: {' '.join([*said, *map(str, notes)])}"
    if len(told) > most:
        yield f"{len(told) - most} more rows"
