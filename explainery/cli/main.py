"""`explainery`: the group of commands. Each is imported when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from explainery.cli import exits

COMMANDS = {
    "up": "up",
    "demo": "demo",
    "explain": "explain",
    "compare": "compare",
    "comparisons": "comparisons",
    "backgrounds": "backgrounds",
    "plot": "plot",
    "jobs": "jobs",
    "watch": "watch",
    "batch": "batch",
    "webhooks": "webhooks",
    "models": "models",
    "methods": "methods",
    "protocols": "protocols",
    "health": "health",
    "status": "status",
    "top": "top",
    "doctor": "doctor",
    "redis": "redis",
    "worker": "worker",
    "serve": "serve",
    "courier": "courier",
    "coordinator": "coordinator",
    "keys": "keys",
    "tenants": "tenants",
    "version": "version",
}
"""Command -> file in this folder; the command is the attribute `command` of that file. In the order of the help."""


class LazyGroup(click.Group):
    """Imports a command when it is asked for, and turns known errors into sentences and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"explainery.cli.{COMMANDS[cmd_name]}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run; an error that has a meaning for the user leaves as a sentence, others keep their traceback."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            told = exits.failure(error)
            if told is None:
                raise
            raise told from error


@click.group(cls=LazyGroup, epilog=exits.HELP, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Why did the model say that?

    Start the service with `explainery up`, then ask it with `explainery explain`. Settings are environment variables named
    EXPLAINERY_...; `explainery doctor` says what is missing.
    """
