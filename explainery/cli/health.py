"""`explainery health`."""

from __future__ import annotations

import click

from explainery.cli import exits
from explainery.cli.service_url import connect, url_option


@click.command()
@click.option("--metrics", is_flag=True, help="Print what the service counts, in Prometheus' text format.")
@url_option
def command(url: str | None, metrics: bool) -> None:
    """Ask the service over HTTP whether it lives and can take jobs; exits 4 when it cannot."""
    with connect(url) as client:
        if metrics:
            click.echo(client.metrics(), nl=False)
            return
        alive, ready = client.alive(), client.ready()
    click.echo(f"alive: {'yes' if alive else 'no'}\nready: {'yes' if ready else 'no'}")
    if not (alive and ready):
        raise SystemExit(exits.UNREACHABLE)
