"""`explainery worker`."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import click

from explainery.settings import load


@click.command()
def command() -> None:
    """Run one worker in the foreground.

    It works for EXPLAINERY_REDIS_URL, or the embedded Redis of EXPLAINERY_HOME. SIGTERM lets it finish what it is doing.
    """
    from explainery.supervisor.commands import worker_command, worker_environment, worker_identity
    from explainery.supervisor.embedded_redis import remembered_url

    settings = replace(load(), workers=1)
    url, identity = remembered_url(settings), worker_identity()
    arguments = worker_command(identity, settings.log_level)
    sys.stdout.flush()
    os.execve(arguments[0], arguments, {**os.environ, **worker_environment(settings, url, identity)})  # noqa: S606
