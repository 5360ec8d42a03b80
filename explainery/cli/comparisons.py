"""`explainery comparisons show|result|cancel|forget`; `explainery compare` makes them."""

from __future__ import annotations

import click

from explainery.cli.printing import print_json
from explainery.cli.service_url import connect, url_option


@click.group()
def command() -> None:
    """Look after comparisons that `explainery compare --no-wait` made."""


@command.command("show")
@click.argument("comparison_id")
@url_option
def show(url: str | None, comparison_id: str) -> None:
    """Show a comparison and its jobs, as JSON."""
    with connect(url) as client:
        print_json(client.comparison(comparison_id))


@command.command("result")
@click.argument("comparison_id")
@url_option
def result(url: str | None, comparison_id: str) -> None:
    """Show how far the answers agree, as JSON, once all jobs have succeeded."""
    with connect(url) as client:
        print_json(client.comparison_result(comparison_id))


@command.command("cancel")
@click.argument("comparison_id")
@url_option
def cancel(url: str | None, comparison_id: str) -> None:
    """Cancel the jobs that have not ended."""
    with connect(url) as client:
        click.echo(client.cancel_comparison(comparison_id)["status"])


@command.command("forget")
@click.argument("comparison_id")
@url_option
def forget(url: str | None, comparison_id: str) -> None:
    """Delete a comparison and its jobs."""
    with connect(url) as client:
        client.forget_comparison(comparison_id)
