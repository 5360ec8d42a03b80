"""`explainery compare`: the same rows explained in several ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from explainery.cli.asking import baseline_option, given, model_option, rows_option, target_option, timeout_option
from explainery.cli.printing import print_json, print_table
from explainery.cli.service_url import connect, json_option, url_option


@click.command()
@model_option
@click.option("--method", "methods", multiple=True, required=True, help="A method; give two or more.")
@rows_option
@target_option
@baseline_option
@click.option("--top", type=click.IntRange(1, 1000), default=5, show_default=True, help="How many of the largest are compared.")
@timeout_option
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait for the answers, or print the id and leave.")
@json_option
@url_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    url: str | None,
    as_json: bool,
    model: str,
    methods: tuple[str, ...],
    source: Path,
    timeout_s: float | None,
    wait: bool,
    **fields: Any,
) -> None:
    """Explain the rows of a file by several methods, and say how far they agree."""
    from explainery.cli.input_file import read

    if len(methods) < 2:
        raise click.UsageError("give --method twice at least")
    asked = given(ctx, fields)
    variants = [{"method": method} for method in methods]
    with connect(url) as client:
        if not wait:
            click.echo(client.submit_comparison(model, read(source), variants, **asked)["id"])
            return
        found = client.compare(model, read(source), variants, timeout_s=timeout_s, **asked)
    if as_json:
        print_json(found)
        return
    print_table(("variant", "pass", "warn", "fail", "calls", "seconds"), map(_variant, found["variants"]))
    click.echo()
    print_table(("pair", "rank correlation", "top overlap", "same signs", "farthest apart"), map(_pair, found["pairs"]))


def _variant(variant: dict[str, Any]) -> tuple[str, ...]:
    verdicts, cost = variant["verdicts"], variant["cost"]
    calls = cost["model_evaluations"] + cost["gradient_evaluations"]
    return variant["label"], *(str(verdicts[name]) for name in ("pass", "warn", "fail")), str(calls), f"{cost['seconds']:.3g}"


def _pair(pair: dict[str, Any]) -> tuple[str, ...]:
    name = " / ".join(pair["labels"])
    if not pair["comparable"]:
        return name, "-", "-", "-", pair["reason"]
    figures = ("rank_correlation", "top_overlap", "sign_agreement")
    worst = next(iter(pair["worst"]), None)
    where = "-" if worst is None else f"row {worst['row']}: {worst['feature'] or worst['input'] + str(worst['index'])}"
    if others := pair.get("other_targets"):
        where += f"; {len(others)} of {len(pair['rows'])} rows explain other outputs"
    return name, *(_figure(pair["mean"][figure]) for figure in figures), where


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
