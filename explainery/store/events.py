"""The streams of events in Redis: read from a place on, and told when some of them are not kept any more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from explainery.contract.errors import RequestRefused
from explainery.contract.events import PROGRESS, JobEvent
from explainery.contract.job import Progress
from explainery.settings import Settings
from explainery.store.connection import store_errors
from explainery.store.keys import key

if TYPE_CHECKING:
    from redis import Redis

Place = tuple[int, int]
"""Where an event stands in its stream: milliseconds and a number within them."""
START: Place = (0, 0)
PAGE = 500
_PLACE = re.compile(r"(\d{1,19})-(\d{1,19})")


def read_place(text: str) -> Place:
    """The place that a `Last-Event-ID` names. Raises RequestRefused."""
    match = _PLACE.fullmatch(text.strip())
    if match is None:
        fault = {"loc": "header.Last-Event-ID", "msg": "is not an id that an event had"}
        raise RequestRefused("Last-Event-ID is not an id that an event had; leave it out to start anew.", [fault])
    return int(match[1]), int(match[2])


def write_place(place: Place) -> str:
    """As Redis and `Last-Event-ID` write it."""
    return f"{place[0]}-{place[1]}"


@dataclass(frozen=True)
class Stretch:
    """Events after a place, the oldest first. `end`: where to go on. `lost`: between that place and these, some may be missing.

    `more`: there are others behind these.
    """

    events: list[JobEvent]
    end: Place
    lost: bool
    more: bool


class EventStore:
    """Reads. Every method raises StoreUnavailable when Redis does not answer."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._ttl_ms = settings.events_ttl_s * 1000

    @store_errors()
    def last(self, tenant: str) -> Place:
        """The place of a tenant's newest event, the start when there is none."""
        newest: Any = self._redis.xrevrange(key("events", tenant), count=1)
        return read_place(newest[0][0].decode()) if newest else START

    @store_errors()
    def after(self, tenant: str, place: Place, count: int = PAGE) -> Stretch:
        """What a tenant was told after a place. All of it is read at one instant: what is gone by then is said to be lost."""
        name = key("events", tenant)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.xrange(name, min=f"({write_place(place)}", count=count)
            pipe.xinfo_stream(name)
            pipe.time()
            entries, about, clock = pipe.execute(raise_on_error=False)
        if isinstance(about, ResponseError):  # there is no such stream
            about = {}
        for answer in (entries, about, clock):
            if isinstance(answer, Exception):
                raise answer
        newest = read_place(about["last-generated-id"].decode()) if about else START
        if place > newest and about:  # of a stream that has begun anew since
            again = self.after(tenant, START, count)
            return Stretch(again.events, again.end, True, again.more)
        end = read_place(entries[-1][0].decode()) if entries else place
        events = [event for _, event in readable(entries)]
        return Stretch(events, end, self._lost(place, about, clock), len(entries) == count)

    def _lost(self, place: Place, about: Mapping[str, Any], clock: tuple[int, int]) -> bool:
        """Whether events after `place` may have been trimmed, or have expired with the whole stream."""
        first = read_place(about["first-entry"][0].decode()) if about and about["first-entry"] else None
        if first is not None and first <= place:
            return False
        trimmed = first is not None and about.get("entries-added", about["length"] + 1) > about["length"]
        expired = place[0] <= clock[0] * 1000 + clock[1] // 1000 - self._ttl_ms
        return place != START and (trimmed or expired)

    @store_errors()
    def news(self, cursors: dict[str, str], block_ms: int) -> dict[str, list[tuple[str, JobEvent]]]:
        """Wait for what comes to any of several streams, by the ends of their keys; move the cursors on."""
        names = {key(*name.split(":", 1)): name for name in cursors}
        heard: Any = self._redis.xread({full: cursors[name] for full, name in names.items()}, count=PAGE, block=block_ms)
        told = heard.items() if isinstance(heard, dict) else [(name, [entries]) for name, entries in heard or ()]
        found: dict[str, list[tuple[str, JobEvent]]] = {}
        for full, pages in told:
            name = names[full.decode()]
            entries = [entry for page in pages for entry in page]
            found[name] = list(readable(entries))
            cursors[name] = entries[-1][0].decode()
        return found


def readable(entries: Iterable[tuple[bytes, Mapping[bytes, bytes]]]) -> Iterator[tuple[str, JobEvent]]:
    """Entries with their places. What a newer worker writes in another way is left out: it must not stop what is known."""
    for entry_id, fields in entries:
        with suppress(KeyError, ValueError):
            yield entry_id.decode(), read_event(entry_id, fields)


def read_event(entry_id: bytes, fields: Mapping[bytes, bytes]) -> JobEvent:
    """One entry of a stream; `scripts/prelude.lua` writes them."""
    progress = None
    if b"unit" in fields:
        unit: Any = fields[b"unit"].decode()
        progress = Progress(done=int(fields[b"done"]), total=int(fields[b"total"]), unit=unit)
    return JobEvent(
        id=None if progress else entry_id.decode(),
        job=fields[b"job"].decode(),
        what=PROGRESS if progress else fields[b"state"].decode(),
        revision=int(fields[b"revision"]),
        at_ms=int(fields[b"at"]),
        progress=progress,
    )
