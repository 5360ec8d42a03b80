"""Event streams from Python: server-sent events, resumed by themselves where a connection breaks."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from explainery.client.problems import ServiceError, ServiceUnreachable
from explainery.client.steps import Give, Line, Open, Pause, Retries, Stream
from explainery.contract.events import GAP

_SILENCE_S = 60.0
"""Longest silence of a stream that lives: the service says something every 15 s unless it is set otherwise."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0


@dataclass(frozen=True)
class Event:
    """One event. `type`: `explanation.succeeded` and the like, or `gap` where older ones are not kept any more.

    `id`: where a stream goes on (None for progress); `job` and `status` are those of `data`, which is what the service sent.
    """

    type: str
    id: str | None
    job: str | None
    status: str | None
    time: str | None
    data: dict[str, Any]


def listen(path: str, after: str | None) -> Stream[Event]:
    """The events of a stream, until the service says that there are no more.

    A connection that breaks is made again, and goes on behind the last event. Raises ServiceError, and ServiceUnreachable when
    nobody answers as often in a row as the client tries.
    """
    retries: int = yield Retries()
    failures = 0
    while True:
        try:
            opened: httpx.Response = yield Open(path, {} if after is None else {"Last-Event-ID": after}, _SILENCE_S)
            if opened.status_code == httpx.codes.NO_CONTENT:
                return
            parser = Parser()
            while (line := (yield Line())) is not None:
                place, event = parser.told(line)
                failures, after = (0, place) if place else (failures, after)
                if event is not None:
                    failures = 0
                    yield Give(event)
            yield Pause(_FIRST_PAUSE_S)  # it ended: the service stops, or all is told, which it says when it is asked again
        except (ServiceUnreachable, ServiceError) as error:
            passes = isinstance(error, ServiceUnreachable) or error.retryable
            failures += 1
            if not passes or failures > retries:
                raise
            yield Pause(min(_FIRST_PAUSE_S * 2 ** (failures - 1), _LONGEST_PAUSE_S))


@dataclass
class Parser:
    """Places and events out of the lines of a stream (WHATWG HTML, 9.2.6).

    A place may stand alone. Comments, and an event that was cut off, are left out.
    """

    fields: dict[str, str] = field(default_factory=dict)

    def told(self, line: str) -> tuple[str | None, Event | None]:
        """What a line makes complete: the place behind it, and an event."""
        if line:
            name, _, value = line.partition(":")
            if name:
                self.fields[name] = value.removeprefix(" ")
            return None, None
        fields, self.fields = self.fields, {}
        return fields.get("id"), _event(fields) if "data" in fields else None


def _event(fields: dict[str, str]) -> Event:
    told = json.loads(fields["data"])
    if fields.get("event") == GAP:
        return Event(GAP, None, None, None, None, told)
    data = told.get("data", {})
    return Event(told["type"], fields.get("id"), data.get("id"), data.get("status"), told.get("time"), data)
