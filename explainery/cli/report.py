"""A result for people: what was predicted, what made it so, how far to trust it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import click
import numpy as np

from explainery.cli.job_report import print_report
from explainery.cli.printing import plain, print_table
from explainery.client.outcome import ExplanationResult
from explainery.contract.result import Attribution, Explanation
from explainery.figures.places import place_name

_TOP = 10
_ROWS = 10


def print_result(outcome: ExplanationResult, card: Mapping[str, Any]) -> None:
    """Print the first rows, each with its strongest attributions. `card`: the model's card, for names and units."""
    result = outcome.result
    click.echo(f"{result.model.name}@{result.model.version}  {result.method}  {result.value_function}  seed {result.seed}")
    if outcome.report is not None:
        print_report(result, card)
    for row, explanation in enumerate(outcome.explanations[:_ROWS]):
        click.echo()
        click.echo(f"row {row}: {_prediction(explanation)}")
        print_table(("feature", "attribution", ""), _strongest(outcome, row, card))
        click.echo(_quality(explanation))
    left = len(outcome.explanations) - _ROWS
    if left > 0:
        click.echo(f"\n{left} more rows; see all with --json or --output")
    for note in result.notes:
        click.echo(f"note: {plain(note)}")
    cost = result.cost
    calls = f"{cost.model_evaluations} model calls, {cost.gradient_evaluations} gradient calls"
    click.echo(f"\n{calls}, {cost.seconds:.3g} s")


def feature_names(attribution: Attribution, card: Mapping[str, Any]) -> list[str]:
    """A name for each element: the result's own, else the card's features with their units, else its index."""
    spec: Mapping[str, Any] = next((entry for entry in card.get("inputs", ()) if entry["name"] == attribution.input), {})
    units = dict(zip(spec.get("features") or (), spec.get("units") or (), strict=False))
    size = math.prod(attribution.shape)
    listed = attribution.features or spec.get("features") or ()
    if len(listed) == size:
        return [f"{name} [{units[name]}]" if units.get(name) else str(name) for name in listed]
    shape = attribution.shape
    return [place_name(str(attribution.input), index, shape, spec.get("layout")) for index in np.ndindex(*shape)]


def _strongest(outcome: ExplanationResult, row: int, card: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    named = [
        (name, float(value))
        for attribution in outcome.explanations[row].attributions
        for name, value in zip(feature_names(attribution, card), outcome.row_of(attribution, row).reshape(-1), strict=True)
    ]
    named.sort(key=lambda entry: -abs(entry[1]))
    largest = abs(named[0][1]) if named else 0.0
    for name, value in named[:_TOP]:
        yield name, f"{value:+.4g}", "#" * round(20 * abs(value) / largest) if largest else ""
    rest = named[_TOP:]
    if rest:
        yield f"{len(rest)} others", f"{sum(value for _, value in rest):+.4g}", ""


def _prediction(explanation: Explanation) -> str:
    target = explanation.target
    which = "" if target.index is None else f"[{target.index}]"
    label = f' "{plain(target.label)}"' if target.label is not None else ""
    return f"{target.output}{which}{label} = {explanation.instance_output:.4g}, baseline {explanation.baseline_output:.4g}"


def _quality(explanation: Explanation) -> str:
    quality = explanation.quality
    figures = (
        ("completeness gap", quality.completeness_gap),
        ("approximation error", quality.approximation_error),
        ("standard error", quality.standard_error),
    )
    told = ", ".join(f"{name} {value:.2g}" for name, value in figures if value is not None)
    checks = "".join(f"\n  {plain(_check(name, found))}" for name, found in (quality.checks or {}).items())
    notes = "".join(f"\n  {plain(note)}" for note in quality.notes)
    return f"quality: {quality.verdict}{f' ({told})' if told else ''}{checks}{notes}"


def _check(name: str, found: Mapping[str, Any]) -> str:
    """A check's verdict and its plain figures; its curves are in --json."""
    figures = [f"{key.replace('_', ' ')} {value:.2g}" for key, value in found.items() if isinstance(value, (int, float))]
    return f"{name}: {found['verdict']} ({', '.join(figures)})"
