"""`explainery backgrounds store|list|show|forget`."""

from __future__ import annotations

from pathlib import Path

import click

from explainery.cli.printing import print_json
from explainery.cli.service_url import connect, json_option, url_option


@click.group()
def command() -> None:
    """Keep sets of rows in the service, for baselines that average over them."""


@command.command("store")
@click.option("--model", required=True, help="The model whose inputs the rows are of.")
@click.option(
    "--input", "source", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Rows: .json, .npz, .csv."
)
@url_option
def store(url: str | None, model: str, source: Path) -> None:
    """Store rows; prints the id, for --baseline '{"background": {"id": ...}}'."""
    from explainery.cli.input_file import read

    with connect(url) as client:
        click.echo(client.store_background(model, read(source)))


@command.command("list")
@json_option
@url_option
def list_all(url: str | None, as_json: bool) -> None:
    """List the ids of the sets that are stored, the last used first."""
    with connect(url) as client:
        found = client.backgrounds()
    if as_json:
        print_json(found)
        return
    for each in found:
        click.echo(each)


@command.command("show")
@click.argument("background_id")
@url_option
def show(url: str | None, background_id: str) -> None:
    """Show how many rows a set has, of which shapes, as JSON."""
    with connect(url) as client:
        print_json(client.background(background_id))


@command.command("forget")
@click.argument("background_id")
@url_option
def forget(url: str | None, background_id: str) -> None:
    """Delete a set."""
    with connect(url) as client:
        client.forget_background(background_id)
