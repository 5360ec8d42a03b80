"""The report of a method that answers for the job as a whole, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from explainery.cli.printing import plain, print_table
from explainery.contract.model_card import ModelCard
from explainery.contract.result import Result
from explainery.figures.sentences import sentences

_ROWS = 10


def print_report(result: Result, card: Mapping[str, Any]) -> None:
    """Print what it found; all its figures are in --json. `card`: the model's card, for units; empty when it is not known."""
    report = result.report or {}
    click.echo()
    click.echo(plain(str(report.get("text", ""))))
    for finding in report.get("findings", ()):
        click.echo(f"  {plain(str(finding['kind']))}: {plain(str(finding['text']))}")
    for line in sentences(result, ModelCard.model_validate(card) if card else None, _ROWS):
        click.echo(f"\n{plain(line)}")
    if all("importance" in each for each in report.get("features") or [{}]):
        largest = sorted(report["features"], key=lambda told: -told["importance"])
        click.echo()
        print_table(("feature", "importance", "standard error"), map(_importance, largest))


def _importance(told: Mapping[str, Any]) -> tuple[str, str, str]:
    return plain(str(told["feature"])), f"{told['importance']:+.4g}", f"{told['standard_error']:.2g}"
