"""`explainery serve`."""

from __future__ import annotations

import os
import sys

import click

from explainery.exposure import check_exposure
from explainery.settings import load


@click.command()
def command() -> None:
    """Run the API in the foreground, on EXPLAINERY_HOST and EXPLAINERY_PORT.

    It uses EXPLAINERY_REDIS_URL, or the embedded Redis of EXPLAINERY_HOME.
    """
    from explainery.supervisor.commands import service_command
    from explainery.supervisor.embedded_redis import remembered_url

    settings = load()
    check_exposure(settings)
    arguments = service_command()
    environment = {**os.environ, "EXPLAINERY_REDIS_URL": remembered_url(settings)}
    sys.stdout.flush()
    os.execve(arguments[0], arguments, environment)  # noqa: S606  our own command line
