"""Server-sent events (WHATWG HTML, 9.2): a job's changes, or all of a tenant's, for as long as the client listens."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson

from explainery.contract.errors import JobGone, JobNotFound
from explainery.contract.events import FORGOTTEN, GAP, JobEvent, attributes, data
from explainery.contract.job import Job
from explainery.store.events import EventStore, Place, read_place, write_place
from explainery.store.hub import Listener
from explainery.store.jobs import JobStore

MEDIA_TYPE = "text/event-stream"
HEARTBEAT = b": still here\n\n"
RETRY_MS = 1000
"""When a client comes back after a cut."""
GATHER_S = 0.05
"""What comes within this time of an event is told together: many streams told of many jobs one by one would take a core."""
STUCK_S = 30.0
"""Longest that a client may leave what it was sent lying."""


@dataclass(eq=False)
class Stream:
    """What one client is told. `place`: of the last event it has, or of the moment at which it came.

    `fresh`: it comes for the first time, and is told first how its job stands.
    """

    events: EventStore
    jobs: JobStore
    listener: Listener
    place: Place
    fresh: bool
    heartbeat_s: float
    root: str = ""
    _told: int = field(default=-1, init=False)
    """The revision of the job that was told last."""
    _over: bool = field(default=False, init=False)
    """Whether the job's last event was told."""

    def texts(self) -> Iterator[bytes]:
        """The stream's text, piece by piece; it ends after the job's last event, or when the process does."""
        # A place without data tells the client nothing but where it is: nothing before the first event is missed either.
        yield f"id: {write_place(self.place)}\nretry: {RETRY_MS}\n\n".encode()
        for batch in self._all():
            told = [self._said(event) for event in batch]
            if text := b"".join(told):
                yield text
            if self._over:
                return

    def _said(self, event: JobEvent | bytes) -> bytes:
        """One event as text; nothing for what a job's stream has told already, or what comes after its end."""
        if isinstance(event, bytes):
            return event
        if self.listener.job is not None:
            if self._over or (event.revision <= self._told and event.what != FORGOTTEN):
                return b""
            self._told, self._over = event.revision, event.final
        return written(event, self.root)

    def _all(self) -> Iterator[list[JobEvent | bytes]]:
        if self.fresh and self.listener.job is not None:
            yield [self._state()]
        yield from self._missed()
        while not self.listener.closed:
            heard = self.listener.take(self.heartbeat_s)
            if self.listener.fell_behind():
                yield from self._missed()
                continue
            yield [event for event in heard if self._moves_on(event)] if heard else [HEARTBEAT]
            time.sleep(GATHER_S)

    def _moves_on(self, event: JobEvent) -> bool:
        """Whether an event is new to the client; its place is noted."""
        if event.id is None:
            return True
        place = read_place(event.id)
        moves = place > self.place
        self.place = max(place, self.place)
        return moves

    def _missed(self) -> Iterator[list[JobEvent | bytes]]:
        """What was told after the client's place; where some of that is not kept, it is said, and how the job stands now."""
        more = True
        while more and not self.listener.closed:
            stretch = self.events.after(self.listener.tenant, self.place)
            told: list[JobEvent | bytes] = [gap(self.place)] if stretch.lost else []
            self.place, more = stretch.end, stretch.more
            told += (event for event in stretch.events if self.listener.job in (None, event.job))
            if stretch.lost and self.listener.job is not None:
                told.append(self._state())
            yield told

    def _state(self) -> JobEvent:
        job_id = str(self.listener.job)
        try:
            return of_job(self.jobs.get(job_id), self.place)
        except (JobNotFound, JobGone):
            return JobEvent(
                id=write_place(self.place), job=job_id, what=FORGOTTEN, revision=self._told + 1, at_ms=self.place[0]
            )


def of_job(job: Job, place: Place) -> JobEvent:
    """How a job stands, as an event at a place of its tenant's stream."""
    what: dict[str, Any] = {"what": job.status.value, "revision": job.revision, "at_ms": _ms(job)}
    return JobEvent(id=write_place(place), job=job.id, progress=job.progress, **what)


def _ms(job: Job) -> int:
    return round(datetime.fromisoformat(job.finished_at or job.started_at or job.created_at).timestamp() * 1000)


@lru_cache(maxsize=1024)  # all streams of a tenant are told the same
def written(event: JobEvent, root: str = "") -> bytes:
    """One event: its data is a CloudEvent in structured mode."""
    told = orjson.dumps({**attributes(event, root), "datacontenttype": "application/json", "data": data(event, root)})
    place = b"" if event.id is None else b"id: " + event.id.encode() + b"\n"
    return place + b"event: " + event.type.encode() + b"\ndata: " + told + b"\n\n"


def gap(place: Place) -> bytes:
    """Say that events after a place are not kept any more."""
    told = orjson.dumps(
        {"after": write_place(place), "detail": "Events after this one are not kept any more; look at the jobs."}
    )
    return b"event: " + GAP.encode() + b"\ndata: " + told + b"\n\n"


def impatient(connection: socket.socket | None) -> None:
    """Bound how long a client may leave what it was sent lying: else it would hold a thread for ever."""
    if connection is not None:
        connection.settimeout(STUCK_S)


def has_left(connection: socket.socket | None) -> bool:
    """Whether the client has closed its side. False where there is no socket to be looked at."""
    if connection is None:
        return False
    try:
        readable = select.poll()  # a socket with a timeout would wait for it even where it is told not to
        readable.register(connection, select.POLLIN)
        return bool(readable.poll(0)) and connection.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):
        return True


def start_of(events: EventStore, tenant: str, last_event_id: str | None) -> Place:
    """Where a client goes on: behind the last event it has, or now. Raises RequestRefused."""
    return events.last(tenant) if last_event_id is None else read_place(last_event_id)
