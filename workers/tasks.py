"""Task bodies: they hold only work."""

from __future__ import annotations

from explainery.store.bell import DRAIN
from workers.app import app, worker


@app.task(name=DRAIN)
def drain(whom: str) -> None:
    """Answer a bell that was rung for `whom`: work on what waits."""
    worker().drain(whom)
