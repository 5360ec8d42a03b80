"""When a request is tried again, read off the steps themselves: no wire, no clock."""

from __future__ import annotations

import httpx
import pytest

from explainery.client.events import listen
from explainery.client.operations.jobs import submit
from explainery.client.patience import patiently
from explainery.client.problems import ServiceError, ServiceUnreachable
from explainery.client.steps import Give, Line, Once, Open, Pause, Retries, read, write

AWAY = httpx.Response(503, headers={"Retry-After": "3"}, json={"code": "queue_full", "detail": "Full."})
GOOD = httpx.Response(200, json={})


def test_pauses_grow_and_obey_the_service():
    send = read("/x")
    steps = patiently(send, retries=3)
    assert next(steps) == Once(send)
    assert steps.send(AWAY) == Pause(3.0)
    assert next(steps) == Once(send)
    assert steps.throw(ServiceUnreachable("gone")) == Pause(0.2)
    assert next(steps) == Once(send)
    with pytest.raises(StopIteration) as end:
        steps.send(GOOD)
    assert end.value.value is GOOD


def test_what_may_be_said_once_is():
    send = write("POST", "/x")
    steps = patiently(send, retries=3)
    assert next(steps) == Once(send)
    with pytest.raises(ServiceError, match="Full"):
        steps.send(AWAY)


def test_a_pause_is_never_longer_than_five_seconds():
    steps = patiently(read("/x"), retries=20)
    next(steps)
    longest = httpx.Response(429, headers={"Retry-After": "3600"}, json={})
    assert steps.send(longest) == Pause(5.0)


def test_a_submit_may_be_said_again_under_its_key():
    send = next(submit("m", [[1.0]], idempotency_key='a "key"'))
    assert send.again
    assert send.options["headers"]["Idempotency-Key"] == r'"a \"key\""'


def test_a_stream_that_broke_goes_on_behind_its_last_event():
    steps = listen("/v1/events", None)
    assert next(steps) == Retries()
    assert steps.send(2) == Open("/v1/events", {}, 60.0)
    assert steps.send(httpx.Response(200)) == Line()
    for line in ("id: 7-0", "event: explanation.queued"):
        assert steps.send(line) == Line()
    assert steps.send('data: {"type": "explanation.queued", "data": {"id": "j", "status": "queued"}}') == Line()
    given = steps.send("")
    assert isinstance(given, Give)
    assert given.item.id == "7-0"
    assert next(steps) == Line()
    assert steps.throw(ServiceUnreachable("broke off")) == Pause(0.2)
    assert next(steps) == Open("/v1/events", {"Last-Event-ID": "7-0"}, 60.0)
    for pause_s in (0.4,):
        assert steps.throw(ServiceUnreachable("away")) == Pause(pause_s)
        next(steps)
    with pytest.raises(ServiceUnreachable):
        steps.throw(ServiceUnreachable("away"))
