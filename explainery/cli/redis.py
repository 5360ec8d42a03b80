"""`explainery redis`."""

from __future__ import annotations

import click

from explainery.settings import load


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on. Default: the one used last, or a free one.")
def command(port: int | None) -> None:
    """Run the embedded Redis in the foreground.

    Its data is in EXPLAINERY_HOME/redis and survives kill -9. It listens on this machine only. `explainery worker` and
    `explainery serve` with the same EXPLAINERY_HOME find it; other programs use the address printed.
    """
    from explainery.supervisor.embedded_redis import run_in_foreground

    run_in_foreground(load().home, port, lambda url: click.echo(f"EXPLAINERY_REDIS_URL={url}"))
