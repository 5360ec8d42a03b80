"""`explainery up`."""

from __future__ import annotations

import logging

import click

from explainery.exposure import check_exposure
from explainery.settings import load


@click.command()
def command() -> None:
    """Run the whole service here: Redis, workers, API.

    An embedded Redis keeps its data in EXPLAINERY_HOME; with EXPLAINERY_REDIS_URL set, that server is used instead.
    EXPLAINERY_WORKERS workers and the API are started and, when one dies, started again. Prints `ready http://host:port` when
    jobs can be taken. Ctrl-C or SIGTERM ends everything in order; a second Ctrl-C hurries. Logs are in EXPLAINERY_HOME/logs.
    """
    from explainery.supervisor.run import up

    settings = load()
    check_exposure(settings)
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # every look at /readyz would be a line
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    up(settings, click.echo)
