"""The report of a method that answers for the job as a whole, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from explainery.cli.printing import plain, print_table
from explainery.contract.model_card import ModelCard
from explainery.contract.result import Result
from explainery.figures.gallery import kind_of
from explainery.figures.subject import read_subject

_ROWS = 10
_OF_ROWS = ("rule", "changes")
"""Figures of single rows, whose sentence says what was found."""


def print_report(result: Result, card: Mapping[str, Any]) -> None:
    """Print what it found; all its figures are in --json. `card`: the model's card, for units; empty when it is not known."""
    report = result.report or {}
    click.echo()
    click.echo(plain(str(report.get("text", ""))))
    for finding in report.get("findings", ()):
        click.echo(f"  {plain(str(finding['kind']))}: {plain(str(finding['text']))}")
    for line in _rows(result, ModelCard.model_validate(card) if card else None):
        click.echo(f"\n{plain(line)}")
    if all("importance" in each for each in report.get("features") or [{}]):
        largest = sorted(report["features"], key=lambda told: -told["importance"])
        click.echo()
        print_table(("feature", "importance", "standard error"), map(_importance, largest))


def _rows(result: Result, card: ModelCard | None) -> Iterator[str]:
    """A sentence for each of the first rows, where the report speaks of rows."""
    report = result.report or {}
    rows = report.get("rows")
    told = rows if isinstance(rows, list) else []
    document = {"model": {"name": result.model.name}, "method": result.method, "explanations": [], "report": report}
    for row in range(min(len(told), _ROWS)):
        subject = read_subject(document, row, card)
        kinds = [kind for kind in map(kind_of, _OF_ROWS) if kind.unfit(subject) is None]
        notes = (told[row].get("quality") or {}).get("notes") or ()
        said = [figure.reading for figure in (kind.draw(subject) for kind in kinds)]
        if said or notes:
            yield f"row {row}: {' '.join([*said, *map(str, notes)])}"
    if len(told) > _ROWS:
        yield f"{len(told) - _ROWS} more rows; see all with --json or --output"


def _importance(told: Mapping[str, Any]) -> tuple[str, str, str]:
    return plain(str(told["feature"])), f"{told['importance']:+.4g}", f"{told['standard_error']:.2g}"
