"""`explainery files upload|list|show|content|delete`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from explainery.cli.printing import plain, print_json, print_table
from explainery.cli.service_url import connect, json_option, url_option


@click.group()
def command() -> None:
    """Look after the files of batches; `explainery batch submit` uploads and hands in, in one."""


@command.command("upload")
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option(
    "--expires-after", "expires_after_s", type=click.IntRange(60), help="Seconds after which it is deleted by itself."
)
@url_option
def upload(url: str | None, source: Path, expires_after_s: int | None) -> None:
    """Upload FILE: .jsonl, .csv or .parquet. Prints its id."""
    with connect(url) as client:
        click.echo(client.create_file(source, expires_after_s=expires_after_s)["id"])


@command.command("list")
@json_option
@url_option
def list_all(url: str | None, as_json: bool) -> None:
    """List files, newest first."""
    with connect(url) as client:
        found = list(client.files())
    if as_json:
        print_json(found)
        return
    rows = ((each["id"], plain(each["filename"]), str(each["bytes"]), each["purpose"]) for each in found)
    print_table(("id", "name", "bytes", "purpose"), rows)


@command.command("show")
@click.argument("file_id")
@url_option
def show(url: str | None, file_id: str) -> None:
    """Show what is known of a file, as JSON."""
    with connect(url) as client:
        print_json(client.file(file_id))


@command.command("content")
@click.argument("file_id")
@url_option
def content(url: str | None, file_id: str) -> None:
    """Print a file, as it comes."""
    with connect(url) as client:
        for block in client.file_content(file_id):
            sys.stdout.buffer.write(block)


@command.command("delete")
@click.argument("file_id")
@url_option
def delete(url: str | None, file_id: str) -> None:
    """Delete a file for good."""
    with connect(url) as client:
        client.delete_file(file_id)
