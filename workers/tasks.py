"""Task bodies: they hold only work."""

from __future__ import annotations

from explainery.store.bell import DRAIN
from workers.app import app, worker


@app.task(name=DRAIN)
def drain(group: str) -> None:
    """Answer a bell: work on what waits in the group."""
    worker().drain(group)
