"""Event streams: what is told, in which order, and that a cut loses nothing."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from explainery.settings import Settings
from explainery.store import hub as hubs
from explainery.store.events import PAGE
from explainery.store.jobs import Advance
from explainery.store.keys import key
from service.app import create_app
from service.tenant import HEADER as TENANT

PATIENCE_S = 20.0


class Listening:
    """A client of an event stream, as EventSource reads it."""

    def __init__(self, answer: Any) -> None:
        assert (answer.status_code, answer.content_type) == (200, "text/event-stream"), answer.text
        self.answer = answer
        self._pieces = iter(answer.response)
        self.last_id: str | None = None
        self.comments = 0
        self._blocks: list[str] = []

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Events: their name, id and data."""
        deadline = time.monotonic() + PATIENCE_S
        while (block := self._next()) is not None:
            assert time.monotonic() < deadline, "nothing is told"
            self.comments += block.startswith(":")
            fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if "data" in fields:
                self.last_id = fields.get("id", self.last_id)
                yield {"event": fields["event"], "id": fields.get("id"), "data": json.loads(fields["data"])}

    def _next(self) -> str | None:
        """One block of lines; several may come in one piece."""
        while not self._blocks:
            piece = next(self._pieces, None)
            if piece is None:
                return None
            assert piece.endswith(b"\n\n")
            self._blocks += piece.decode().removesuffix("\n\n").split("\n\n")
        return self._blocks.pop(0)

    def take(self, count: int) -> list[dict[str, Any]]:
        events = iter(self)
        return [next(events) for _ in range(count)]

    def names(self, count: int) -> list[str]:
        return [event["event"].removeprefix("explanation.") for event in self.take(count)]

    def rest(self) -> list[str]:
        return [event["event"].removeprefix("explanation.") for event in self]

    def close(self) -> None:
        self.answer.close()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return dataclasses.replace(settings, events_heartbeat_s=0.05, max_streams=3)


@pytest.fixture
def listen(client: FlaskClient) -> Iterator[Callable[..., Listening]]:
    opened: list[Listening] = []

    def run(path: str = "/v1/events", **headers: str) -> Listening:
        opened.append(Listening(client.get(path, headers=headers, buffered=False)))
        return opened[-1]

    yield run
    for listening in opened:
        listening.close()


def submit(client: FlaskClient, loan: dict[str, Any], **headers: str) -> dict[str, Any]:
    return dict(client.post("/v1/explanations", json={**loan, "fresh": True}, headers=headers).json)


def of(job: dict[str, Any]) -> str:
    return f"/v1/explanations/{job['id']}/events"


def test_a_jobs_life_from_how_it_stands_to_its_end(client: FlaskClient, worker: Any, loan: dict[str, Any], listen: Any):
    job = submit(client, loan)
    assert job["links"]["events"] == of(job)
    told = listen(of(job))
    assert told.names(1) == ["queued"]
    claim = worker.take()
    assert told.names(1) == ["running"]
    worker.succeed(claim)
    assert told.rest() == ["succeeded"]


def test_an_event_is_a_cloud_event_and_thin(client: FlaskClient, worker: Any, loan: dict[str, Any], listen: Any):
    job = submit(client, loan)
    told = listen(of(job))
    told.take(1)
    worker.take()
    (event,) = told.take(1)
    assert set(event["data"]) == {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"}
    assert (event["data"]["specversion"], event["data"]["type"]) == ("1.0", "explanation.running")
    assert (event["data"]["source"], event["data"]["subject"]) == ("/v1/explanations", job["id"])
    assert event["data"]["time"].endswith("Z")
    links = {name: link for name, link in job["links"].items() if name != "partial"}
    assert event["data"]["data"] == {"id": job["id"], "status": "running", "revision": 2, "links": links}


def test_progress_is_told_and_moves_no_place(client: FlaskClient, worker: Any, loan: dict[str, Any], listen: Any):
    job = submit(client, loan)
    claim = worker.take()
    told = listen(of(job))
    told.take(1)
    before = told.last_id
    worker.jobs.renew("worker-hand", [Advance(job["id"], claim.fence, 1, 2, "model_evaluations")])
    (event,) = told.take(1)
    assert (event["event"], event["id"], told.last_id) == ("explanation.progress", None, before)
    assert event["data"]["data"]["progress"] == {"done": 1, "total": 2, "unit": "model_evaluations"}
    worker.succeed(claim)
    assert told.rest() == ["succeeded"]


def test_progress_that_a_newer_worker_writes_in_another_way_stops_no_stream(
    client: FlaskClient, worker: Any, loan: dict[str, Any], listen: Any
):
    told = listen()
    job = submit(client, loan)
    assert told.names(1) == ["queued"]
    newer = {"job": job["id"], "revision": 1, "at": 1, "done": 1, "total": 2, "unit": "tokens"}
    worker.redis.xadd(key("progress", "default"), newer)
    worker.take()
    assert told.names(1) == ["running"]


def test_a_job_that_has_ended_is_told_once(client: FlaskClient, worker: Any, loan: dict[str, Any], listen: Any):
    job = submit(client, loan)
    worker.succeed(worker.take())
    told = listen(of(job))
    assert told.rest() == ["succeeded"]
    again = client.get(of(job), headers={"Last-Event-ID": told.last_id})
    assert (again.status_code, again.data) == (204, b"")  # what EventSource takes as: do not come back


def test_who_has_heard_a_jobs_end_is_not_kept_by_all_that_came_after(
    client: FlaskClient, worker: Any, loan: dict[str, Any], listen: Any
):
    job = submit(client, loan)
    worker.succeed(worker.take())
    told = listen(of(job))
    assert told.rest() == ["succeeded"]
    with worker.redis.pipeline() as pipe:
        for number in range(2 * PAGE):
            other = {"job": f"{number:026d}", "state": "queued", "revision": 1, "at": 1}
            pipe.xadd(key("events", "default"), other)
        pipe.execute()
    assert client.get(of(job), headers={"Last-Event-ID": told.last_id}).status_code == 204


def test_a_job_that_is_forgotten_ends_its_stream(client: FlaskClient, loan: dict[str, Any], listen: Any):
    job = submit(client, loan)
    told = listen(of(job))
    told.take(1)
    client.delete(job["links"]["self"])
    assert told.rest() == ["canceled"]
    assert client.get(of(job)).status_code == 410


def test_an_id_that_never_was_is_404_and_holds_no_stream(client: FlaskClient, app: Flask):
    for _ in range(5):
        assert client.get(f"/v1/explanations/{'0' * 26}/events").status_code == 404
    assert app.extensions["explainery"].hub.open_streams() == 0


def test_after_a_cut_nothing_is_missed_and_nothing_told_twice(
    client: FlaskClient, worker: Any, loan: dict[str, Any], listen: Any
):
    told = listen()
    first = submit(client, loan)
    assert told.names(1) == ["queued"]
    told.close()
    claim = worker.take()
    second = submit(client, loan)
    worker.succeed(claim)
    resumed = listen(**{"Last-Event-ID": told.last_id})
    assert [(e["event"].partition(".")[2], e["data"]["subject"]) for e in resumed.take(3)] == [
        ("running", first["id"]), ("queued", second["id"]), ("succeeded", first["id"]),
    ]  # fmt: skip
    worker.take()
    assert resumed.names(1) == ["running"]


def test_a_jobs_stream_resumes_too(client: FlaskClient, worker: Any, loan: dict[str, Any], listen: Any):
    job = submit(client, loan)
    told = listen(of(job))
    told.take(1)
    told.close()
    submit(client, loan)  # another job's events stand between
    worker.succeed(worker.take())
    resumed = listen(of(job), **{"Last-Event-ID": told.last_id})
    assert resumed.rest() == ["running", "succeeded"]


def test_what_is_not_kept_any_more_is_said(client: FlaskClient, worker: Any, loan: dict[str, Any], listen: Any):
    job = submit(client, loan)
    told = listen()
    submit(client, loan)
    told.take(1)
    told.close()
    worker.take()
    submit(client, loan)
    worker.redis.xtrim(key("events", "default"), maxlen=1, approximate=False)
    resumed = listen(**{"Last-Event-ID": told.last_id})
    gap, kept = resumed.take(2)
    assert (gap["event"], gap["data"]["after"], kept["event"]) == ("gap", told.last_id, "explanation.queued")
    of_job = listen(of(job), **{"Last-Event-ID": told.last_id})
    assert of_job.names(2) == ["gap", "running"]  # how it stands now


def test_a_stream_that_began_anew_is_a_gap_too(client: FlaskClient, worker: Any, loan: dict[str, Any], listen: Any):
    submit(client, loan)
    resumed = listen(**{"Last-Event-ID": "99999999999999-0"})
    assert resumed.names(2) == ["gap", "queued"]
    expired = listen(**{"Last-Event-ID": "5-0"})
    assert expired.names(2) == ["gap", "queued"]


def test_nothing_lost_is_no_gap(client: FlaskClient, worker: Any, loan: dict[str, Any], listen: Any):
    told = listen()
    submit(client, loan)
    told.take(1)
    told.close()
    worker.take()
    worker.redis.xtrim(key("events", "default"), maxlen=2, approximate=False)
    assert listen(**{"Last-Event-ID": told.last_id}).names(1) == ["running"]


def test_a_tenant_hears_its_own_only(client: FlaskClient, loan: dict[str, Any], listen: Any):
    told = listen(**{TENANT: "a"})
    submit(client, loan, **{TENANT: "b"})
    mine = submit(client, loan, **{TENANT: "a"})
    (event,) = told.take(1)
    assert event["data"]["subject"] == mine["id"]


def test_a_silent_stream_says_that_it_lives(listen: Any, client: FlaskClient, loan: dict[str, Any]):
    told = listen()
    pieces = iter(told.answer.response)
    assert [next(pieces) for _ in range(3)] == [b"id: 0-0\nretry: 1000\n\n", b": still here\n\n", b": still here\n\n"]


def test_what_happens_between_the_first_words_and_a_cut_is_not_missed(client: FlaskClient, loan: dict[str, Any], listen: Any):
    submit(client, loan)
    told = listen()
    first = next(iter(told.answer.response)).decode()
    told.close()
    job = submit(client, loan)
    (event,) = listen(**{"Last-Event-ID": first.partition("id: ")[2].partition("\n")[0]}).take(1)
    assert event["data"]["subject"] == job["id"]


def test_past_the_cap_503_and_a_closed_stream_makes_room(app: Flask, client: FlaskClient, listen: Any):
    streams = [listen() for _ in range(3)]
    full = client.get("/v1/events")
    assert (full.status_code, full.json["code"], full.headers["Retry-After"]) == (503, "too_many_streams", "2")
    assert b"explainery_event_streams 3.0" in client.get("/metrics").data
    streams[0].close()
    assert app.extensions["explainery"].hub.open_streams() == 2
    listen()


@pytest.mark.parametrize("last", ["soon", "1", "1-", "-", "1-2-3", "9" * 30 + "-0"])
def test_a_place_that_no_event_had_is_refused(app: Flask, client: FlaskClient, last: str):
    answer = client.get("/v1/events", headers={"Last-Event-ID": last})
    assert (answer.status_code, answer.json["errors"][0]["loc"]) == (422, "header.Last-Event-ID")
    assert app.extensions["explainery"].hub.open_streams() == 0


def test_who_accepts_something_else_gets_406(client: FlaskClient):
    assert client.get("/v1/events", headers={"Accept": "application/json"}).status_code == 406


def test_a_look_at_the_headers_alone_holds_no_stream(app: Flask, client: FlaskClient):
    client.head("/v1/events").close()
    assert app.extensions["explainery"].hub.open_streams() == 0


def test_who_falls_behind_reads_on_by_itself(
    client: FlaskClient, worker: Any, loan: dict[str, Any], listen: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hubs, "MOST_KEPT", 4)
    told = listen()
    iter(told.answer.response).__next__()  # it is at work, and then its client dawdles
    jobs = [submit(client, loan)["id"] for _ in range(30)]
    assert [event["data"]["subject"] for event in told.take(30)] == jobs


def test_a_restart_of_redis_cuts_no_stream(
    client: FlaskClient, worker: Any, loan: dict[str, Any], listen: Any, redis_server: Any
):
    told = listen()
    submit(client, loan)
    assert told.names(1) == ["queued"]
    redis_server.stop()
    redis_server.start()
    worker.announce()
    submit(client, loan)
    assert told.names(1) == ["queued"]


def test_closing_ends_every_stream(settings: Settings, worker: Any):
    app = create_app(settings)
    told = Listening(app.test_client().get("/v1/events", buffered=False))
    app.extensions["explainery"].hub.close()
    assert told.rest() == []
    app.extensions["explainery"].watcher.close()
