"""`explainery batch submit|status|list|cancel|results|summary`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from explainery.cli.asking import given
from explainery.cli.printing import plain, print_json, print_table
from explainery.cli.service_url import connect, json_option, url_option
from explainery.cli.values import assignments, baseline, target

_TABLES = (".csv", ".parquet")


@click.group()
def command() -> None:
    """Explain whole files: JSON lines of requests, or tables."""


@command.command("submit")
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--model", help="Of a table: name or name@version. Lines of JSON have a model of their own.")
@click.option("--method", help="Of a table: a method, or auto.")
@click.option("--param", "params", callback=assignments, multiple=True, help="Of a table: name=value; may be repeated.")
@click.option("--target", callback=target, help="Of a table: predicted, an output index, a label, or null.")
@click.option("--baseline", callback=baseline, help="Of a table: zeros, mean, card, a number, or a JSON object.")
@click.option("--window", default="24h", show_default=True, help="Time after which what is not done is given up.")
@click.option("--wait", is_flag=True, help="Wait for its end.")
@json_option
@url_option
@click.pass_context
def submit(ctx: click.Context, /, url: str | None, as_json: bool, source: Path, window: str, wait: bool, **fields: Any) -> None:
    """Upload FILE and hand it in: .jsonl, .csv or .parquet."""
    request = given(ctx, fields)
    table = source.suffix.lower() in _TABLES
    if table and "model" not in request:
        raise click.UsageError("a table needs --model")
    if request and not table:
        raise click.UsageError("lines of JSON say model, method and all else themselves")
    with connect(url) as client:
        batch = client.submit_batch(source, completion_window=window, request=request or None)
        if wait:
            with _bar() as draw:
                batch = client.wait_for_batch(batch["id"], progress=draw)
    _print(batch, as_json)
    if batch["status"] == "failed":
        raise SystemExit(1)


@command.command("status")
@click.argument("batch_id")
@json_option
@url_option
def status(url: str | None, as_json: bool, batch_id: str) -> None:
    """Show how far a batch is."""
    with connect(url) as client:
        _print(client.batch(batch_id), as_json)


@command.command("list")
@json_option
@url_option
def list_all(url: str | None, as_json: bool) -> None:
    """List batches, newest first."""
    with connect(url) as client:
        found = list(client.batches())
    if as_json:
        print_json(found)
        return
    print_table(("id", "status", "lines", "answered", "failed"), map(_row, found))


@command.command("cancel")
@click.argument("batch_id")
@json_option
@url_option
def cancel(url: str | None, as_json: bool, batch_id: str) -> None:
    """Cancel a batch; what is done stays in its output file."""
    with connect(url) as client:
        _print(client.cancel_batch(batch_id), as_json)


@command.command("results")
@click.argument("batch_id")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file, not to standard output.")
@click.option("--errors", is_flag=True, help="The lines that failed in place of those that were answered.")
@url_option
def results(url: str | None, batch_id: str, output: Path | None, errors: bool) -> None:
    """Print the lines of a batch that has ended."""
    with connect(url) as client:
        batch = client.batch(batch_id)
        file = batch["error_file_id" if errors else "output_file_id"]
        if file is None:
            click.echo(f"no such lines: the batch is {batch['status']}", err=True)
            return
        if output is None:
            for block in client.file_content(file):
                sys.stdout.buffer.write(block)
            return
        with output.open("wb") as target_file:
            for block in client.file_content(file):
                target_file.write(block)


@command.command("summary")
@click.argument("batch_id")
@json_option
@url_option
def summary(url: str | None, as_json: bool, batch_id: str) -> None:
    """Show what a batch's explanations come to, per feature."""
    with connect(url) as client:
        found = client.batch_summary(batch_id)
    if as_json:
        print_json(found)
        return
    columns = ("feature", "mean |attribution|", "mean", "5 %", "median", "95 %", "direction")
    for group in found["groups"]:
        label = group["target"]["label"] or group["target"]["index"]
        about = "" if label is None else f", class {plain(label)}"
        model = f"{group['model']['name']}@{group['model']['version']}"
        print_table(columns, map(_feature, group["features"]), f"{model}, {group['method']}{about}: {group['rows']} rows")


def _feature(feature: dict[str, Any]) -> tuple[str, ...]:
    shares = feature["quantiles"]
    numbers = (feature["mean_absolute"], feature["mean"], shares["0.05"], shares["0.5"], shares["0.95"])
    direction = "-" if feature["direction"] is None else f"{feature['direction']:+.2f}"
    return (feature["feature"], *(f"{number:.4g}" for number in numbers), direction)


def _row(batch: dict[str, Any]) -> tuple[str, ...]:
    counts = batch["request_counts"]
    return batch["id"], batch["status"], *(str(counts[name]) for name in ("total", "completed", "failed"))


def _print(batch: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(batch, indent=2))
        return
    counts = batch["request_counts"]
    click.echo(
        f"{batch['id']}  {batch['status']}  {counts['completed']} answered, {counts['failed']} failed of {counts['total']}"
    )
    for fault in (batch["errors"] or {}).get("data", ()):
        where = "" if fault["line"] is None else f"line {fault['line']}: "
        click.echo(f"  {where}{plain(fault['message'])} ({fault['code']})")


@contextmanager
def _bar() -> Iterator[Callable[[dict[str, Any]], None] | None]:
    """A progress bar on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("validating", total=None)

        def draw(batch: dict[str, Any]) -> None:
            counts = batch["request_counts"]
            done = counts["completed"] + counts["failed"]
            progress.update(task, description=batch["status"], completed=done, total=counts["total"] or None)

        yield draw
