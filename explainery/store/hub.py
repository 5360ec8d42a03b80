"""Fans events out to the streams that are open in this process: one thread reads, whoever listens gets what is theirs."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import chain
from operator import itemgetter

from explainery.contract.errors import StoreUnavailable, TooManyStreams
from explainery.contract.events import JobEvent
from explainery.store.events import EventStore, read_place, write_place

BLOCK_MS = 200
"""How long one read waits; a tenant's first listener is heard of after this at most. Less than the socket's timeout."""
MOST_KEPT = 1000
"""Events a listener may be behind; one that is further behind reads the stream by itself, which loses none."""
RETRY_S = 0.2
LOOK_S = 1.0
"""How often it is looked who is gone: nobody would notice before the next heartbeat that a client has left."""

log = logging.getLogger(__name__)


def _stays() -> bool:
    return False


class Listener:
    """One open stream: a tenant's events, or one job's. Used by one thread.

    `gone`: says whether its client has left, or may not listen any more.
    """

    def __init__(self, tenant: str, job: str | None, gone: Callable[[], bool] = _stays) -> None:
        self.tenant = tenant
        self.job = job
        self.gone = gone
        self._events: deque[JobEvent] = deque()
        self._changed = threading.Condition()
        self._behind = False
        self._closed = False

    def take(self, timeout_s: float) -> list[JobEvent]:
        """What came, the oldest first; nothing when nothing came in time or this is over."""
        with self._changed:
            if not self._events and not self._behind and not self._closed:
                self._changed.wait(timeout_s)
            taken = list(self._events)
            self._events.clear()
            return taken

    def fell_behind(self) -> bool:
        """Whether events were dropped here since this was last asked: read the stream from where you are."""
        with self._changed:
            behind, self._behind = self._behind, False
            return behind

    @property
    def closed(self) -> bool:
        """Whether it is over: the process ends, or the client has left, or may not listen any more."""
        return self._closed

    def give(self, event: JobEvent) -> None:
        """Hand over an event, if it is for this listener."""
        if self.job not in (None, event.job):
            return
        with self._changed:
            if len(self._events) >= MOST_KEPT:
                self._events.clear()
                self._behind = True
            self._events.append(event)
            self._changed.notify()

    def close(self) -> None:
        """Let whoever waits here go."""
        with self._changed:
            self._closed = True
            self._changed.notify()


class Hub:
    """One per process. Its thread comes into being with the first listener, so it may be made before a fork."""

    def __init__(self, events: EventStore, most: int) -> None:
        self._events = events
        self._most = most
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._listeners: dict[str, set[Listener]] = {}
        self._cursors: dict[str, str] = {}
        self._thread: threading.Thread | None = None
        self._closed = False
        self._ends: Callable[[], bool] = lambda: False

    def end_when(self, ends: Callable[[], bool]) -> None:
        """Close all streams once `ends` says so: a server that stops has no other word for those who stream."""
        self._ends = ends

    def open_streams(self) -> int:
        """How many listen."""
        return sum(map(len, self._listeners.values()))

    def listen(self, tenant: str, job: str | None = None, gone: Callable[[], bool] = _stays) -> Listener:
        """Open a stream; give it back with `leave`. Raises TooManyStreams, StoreUnavailable.

        From now on nothing is missed; what was before must be read from the store.
        """
        listener = Listener(tenant, job, gone)
        with self._lock:
            if self.open_streams() >= self._most or self._closed:
                raise TooManyStreams(
                    "As many event streams are open as may be; come back, or ask by long polls (Prefer: wait)."
                )
            self._listeners.setdefault(tenant, set()).add(listener)
        try:
            self._follow(tenant)
        except BaseException:
            self.leave(listener)
            raise
        return listener

    def leave(self, listener: Listener) -> None:
        """Close a stream. May be said twice."""
        with self._lock:
            mine = self._listeners.get(listener.tenant, set())
            mine.discard(listener)
            if not mine:
                self._listeners.pop(listener.tenant, None)
                for kind in ("events", "progress"):
                    self._cursors.pop(f"{kind}:{listener.tenant}", None)
            if not self._listeners:
                self._wanted.clear()

    def close(self) -> None:
        """Let everybody go, and stop."""
        self._closed = True
        self._wanted.set()
        self._let_go()
        if self._thread is not None:
            self._thread.join()

    def _follow(self, tenant: str) -> None:
        last = write_place(self._events.last(tenant))
        with self._lock:
            self._cursors.setdefault(f"events:{tenant}", last)
            self._cursors.setdefault(f"progress:{tenant}", f"{last.partition('-')[0]}-0")
            self._wanted.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._read, name="hub", daemon=True)
                self._thread.start()

    def _read(self) -> None:
        looked_at = time.monotonic()
        while not self._closed:
            self._wanted.wait()
            if time.monotonic() - looked_at > LOOK_S:
                looked_at = time.monotonic()
                self._let_go(only_gone=True)
            if self._ends():
                self._closed = True
                self._let_go()
                return
            with self._lock:
                cursors = dict(self._cursors)
            try:
                self._fan_out(cursors)
            except StoreUnavailable as error:
                log.warning("events_not_read: %s; reading on soon", error.detail)
                time.sleep(RETRY_S)

    def _fan_out(self, cursors: dict[str, str]) -> None:
        if not cursors:
            return
        heard = self._events.news(cursors, BLOCK_MS)
        with self._lock:
            self._cursors.update({name: cursors[name] for name in heard if name in self._cursors})
            told = [(read_place(place), name.partition(":")[2], event) for name in heard for place, event in heard[name]]
            for _, tenant, event in sorted(told, key=itemgetter(0)):  # progress stands in a stream of its own
                for listener in self._listeners.get(tenant, ()):
                    listener.give(event)

    def _let_go(self, *, only_gone: bool = False) -> None:
        with self._lock:
            listeners = list(chain.from_iterable(self._listeners.values()))
        for listener in listeners:
            if not only_gone or listener.gone():
                listener.close()
