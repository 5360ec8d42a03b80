"""`explainery demo`."""

from __future__ import annotations

import click


@click.command()
@click.option("--exit", "leave", is_flag=True, help="End after the answers instead of serving on.")
def command(leave: bool) -> None:
    """Train four small models, explain rows of each, and keep serving them."""
    from explainery.demo import main

    raise SystemExit(main(exit_after=leave))
