"""`explainery status`."""

from __future__ import annotations

import click

from explainery.cli.ledger import figures, opened
from explainery.cli.printing import print_json, show
from explainery.cli.service_url import json_option


@click.command()
@json_option
def command(as_json: bool) -> None:
    """Say what waits and runs, how fast it goes, and who works.

    Asks Redis itself, as `explainery worker` finds it; `explainery top` shows the same live.
    """
    from explainery.cli.overview import document, tables

    with opened() as (redis, settings):
        from explainery.store.catalogue import CatalogueStore

        seen, workers = figures(redis), CatalogueStore(redis, settings).workers()
    if as_json:
        print_json(document(seen, workers))
        return
    for table in tables(seen, workers):
        show(table)
        click.echo()
