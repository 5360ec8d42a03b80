"""Drawing figures in the API: what a job left -> bytes. Few at a time, the last ones kept for a moment."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from explainery.contract.errors import DrawingBusy

if TYPE_CHECKING:
    from explainery.figures.figure import Figure

AT_ONCE = 2
"""Figures drawn at once in a process: drawing is compute, and the API has other things to answer."""
PATIENCE_S = 10.0
"""How long a request waits for its turn."""
KEPT, KEPT_S = 32, 60.0
"""Drawn figures kept, and for how long: a page reloads them, and a deleted job's are soon gone in every process."""
KEPT_BYTES = 2**20
"""Larger ones are drawn again."""

Key = tuple[Any, ...]


class Drawings:
    """Draws at most AT_ONCE figures at a time. Keys begin with the job's id."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, tuple[float, bytes]] = OrderedDict()

    def drawn(self, key: Key, draw: Callable[[], bytes]) -> bytes:
        """What `draw` gives, or gave a moment ago for the same key. Raises DrawingBusy when its turn does not come."""
        known = self._known(key)
        if known is not None:
            return known
        with self._turn():
            content = draw()
        with self._lock:
            if len(content) <= KEPT_BYTES:
                self._kept[key] = (self._clock() + KEPT_S, content)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return content

    def forget(self, job_id: str) -> None:
        """Let go of a job's figures."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == job_id]:
                del self._kept[key]

    def _known(self, key: Key) -> bytes | None:
        with self._lock:
            for old in [old for old, (until, _) in self._kept.items() if until <= self._clock()]:
                del self._kept[old]
            found = self._kept.get(key)
        return None if found is None else found[1]

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=PATIENCE_S):
            raise DrawingBusy("As many figures are being drawn as may be at once; ask again in a moment.")
        try:
            yield
        finally:
            self._turns.release()


def encoded(figure: Figure, form: str) -> bytes:
    """The figure as svg, png, html or json. Raises FiguresUnavailable."""
    import orjson

    from explainery.figures import render
    from explainery.figures.page import page

    if form == "json":
        return orjson.dumps(figure.document())
    if form == "html":
        return page(figure, render.svg(figure, titled=False))
    return render.png(figure) if form == "png" else render.svg(figure)
