"""`explainery coordinator`."""

from __future__ import annotations

import os
import sys

import click

from explainery.settings import load


@click.command()
def command() -> None:
    """Drive batches, in the foreground.

    It works for EXPLAINERY_REDIS_URL, or the embedded Redis of EXPLAINERY_HOME. SIGTERM ends it; who
    comes next goes on where it was.
    """
    from explainery.supervisor.commands import coordinator_command
    from explainery.supervisor.embedded_redis import remembered_url

    arguments = coordinator_command()
    environment = {**os.environ, "EXPLAINERY_REDIS_URL": remembered_url(load())}
    sys.stdout.flush()
    os.execve(arguments[0], arguments, environment)  # noqa: S606  our own command line
