"""The client's event streams, against the real service and against one that stumbles."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from click.testing import CliRunner

from explainery import Client, ServiceError, ServiceUnreachable
from explainery.cli.main import main
from explainery.client.events import Event, Parser

ROWS = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


@pytest.fixture
def client(service) -> Iterator[Client]:
    with Client(service.url) as made:
        yield made


def test_a_job_is_followed_to_its_end(client: Client):
    job = client.submit("slow", ROWS, "exact_shapley", target=None, fresh=True)
    told = list(client.events(job))
    assert {event.job for event in told} == {job.id}
    kept = [event.status for event in told if event.id is not None]
    assert kept == ["queued", "running", "succeeded"][-len(kept) :]
    assert told[-1].type == "explanation.succeeded"


def test_one_that_has_ended_is_told_and_that_is_all(client: Client):
    job = client.submit("linear", ROWS, "exact_shapley", wait_s=60)
    (event,) = client.events(job.id)
    assert event.status == "succeeded"
    assert list(client.events(job.id, after=event.id)) == []


def test_all_jobs_are_followed_without_end(client: Client):
    first = threading.Thread(target=lambda: client.explain("linear", ROWS, "exact_shapley", fresh=True))
    seen = []
    begun = client.submit("linear", ROWS, "exact_shapley", wait_s=60, fresh=True)
    (end,) = client.events(begun)
    told = client.events(after=end.id)
    first.start()
    for event in told:
        seen.append(event.type.partition(".")[2])
        if seen[-1] == "succeeded":
            break
    first.join()
    assert [what for what in seen if what != "progress"] == ["queued", "running", "succeeded"]


def test_a_job_that_never_was_is_an_error(client: Client):
    with pytest.raises(ServiceError) as raised:
        list(client.events("0" * 26))
    assert raised.value.status == 404


def test_after_a_cut_it_goes_on_behind_the_last_event(client: Client, monkeypatch: pytest.MonkeyPatch):
    """Each connection is cut after its first event."""
    from explainery.client import events

    whole = Parser.told
    job = client.submit("slow", ROWS, "exact_shapley", target=None, fresh=True)
    monkeypatch.setattr(events, "_FIRST_PAUSE_S", 0.01)

    def cut(self: Parser, line: str) -> tuple[str | None, Event | None]:
        if self.fields.get("was told"):
            raise ServiceUnreachable("cut")
        place, event = whole(self, line)
        if event is not None:
            self.fields["was told"] = "once"
        return place, event

    monkeypatch.setattr(Parser, "told", cut)
    kept = [event.status for event in client.events(job) if event.id is not None]
    assert kept == ["queued", "running", "succeeded"][-len(kept) :]
    assert kept[-1] == "succeeded"


def test_the_lines_of_a_stream():
    lines = [
        ": a comment", "", "id: 1-0", "retry: 5", "", "id:2-0", "event: explanation.queued",
        'data: {"type": "explanation.queued", "time": "t", "data": {"id": "j", "status": "queued"}}', "",
        "event: gap", 'data: {"after": "1-0"}', "", "id: 3-0", "event: explanation.running", 'data: {"type',
    ]  # fmt: skip
    parser = Parser()
    found = [told for told in map(parser.told, lines) if told != (None, None)]
    (first, nothing), (second, queued), (third, gap) = found
    assert (first, nothing, second, third) == ("1-0", None, "2-0", None)
    assert queued is not None
    assert (queued.id, queued.type, queued.job, queued.status, queued.time) == ("2-0", "explanation.queued", "j", "queued", "t")
    assert gap is not None
    assert (gap.type, gap.job, gap.data) == ("gap", None, {"after": "1-0"})


def test_the_command_shows_a_job_to_its_end(client: Client, service):
    job = client.submit("slow", ROWS, "exact_shapley", target=None, fresh=True)
    shown = CliRunner().invoke(main, ["watch", job.id, "--url", service.url])
    assert shown.exit_code == 0, shown.output
    assert shown.output.splitlines()[-1].endswith(f"{job.id}  succeeded")
    told = CliRunner().invoke(main, ["watch", job.id, "--url", service.url, "--json"])
    assert '"status": "succeeded"' in told.output
