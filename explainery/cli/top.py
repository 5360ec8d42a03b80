"""`explainery top`."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import click
from rich.console import Group
from rich.live import Live
from rich.text import Text

from explainery.cli.ledger import figures, opened
from explainery.cli.overview import rates, tables
from explainery.cli.printing import console
from explainery.contract.errors import StoreUnavailable

if TYPE_CHECKING:
    from explainery.store.catalogue import WorkerInfo
    from explainery.store.figures import Figures


@click.command()
@click.option("--once", is_flag=True, help="Print one picture, after one interval, and leave.")
@click.option("--every", "every_s", type=click.FloatRange(0.05), default=1.0, show_default=True, help="Seconds between looks.")
def command(once: bool, every_s: float) -> None:
    """Show what waits and runs, and what happens each second, until Ctrl-C.

    Asks Redis itself, as `explainery worker` finds it. While Redis is away, the last picture stays.
    """
    with suppress(KeyboardInterrupt), opened() as (redis, settings):  # wherever it comes: to leave is what it asks for
        from explainery.store.catalogue import CatalogueStore

        workers = CatalogueStore(redis, settings).workers
        view = View(lambda: (figures(redis), workers()))
        view.look()
        if once:
            time.sleep(every_s)
            view.look()
            console().print(view.picture())
            return
        _watch(view, every_s)


class View:
    """The last look and what changed since the one before. `ask` gives the figures and the workers."""

    def __init__(
        self, ask: Callable[[], tuple[Figures, list[WorkerInfo]]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._counted: tuple[dict[str, int], float] | None = None
        self._tables: Group = Group()
        self._trouble = ""

    def look(self) -> None:
        """Look again. Raises StoreUnavailable, and keeps what was seen before."""
        seen, workers = self._ask()
        now = self._clock()
        before = self._counted
        per_s = {} if before is None else rates(before[0], seen.counts, max(now - before[1], 1e-3))
        self._counted = (seen.counts, now)
        self._tables = Group(*(part for table in tables(seen, workers, per_s) for part in (table, "")))
        self._trouble = ""

    def look_or_tell(self) -> None:
        """Look again; when Redis is away, the picture says so."""
        try:
            self.look()
        except StoreUnavailable as error:
            self._trouble = error.detail

    def picture(self) -> Group:
        """What to draw."""
        return Group(Text(self._trouble, "bold red"), self._tables) if self._trouble else self._tables


def _watch(view: View, every_s: float) -> None:
    drawn = console()
    with Live(view.picture(), console=drawn, auto_refresh=False, screen=drawn.is_terminal) as live:
        while True:
            live.update(view.picture(), refresh=True)
            time.sleep(every_s)
            view.look_or_tell()
