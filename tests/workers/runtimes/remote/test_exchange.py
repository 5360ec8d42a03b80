"""What the far side's status means, when it is asked again, and that its time is bounded."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import far_side
import numpy as np
import pytest
from far_sides import FarSide
from stacks import until

from explainery.contract.errors import RemoteAnswerInvalid, RemoteRefused, RemoteUnavailable
from workers.plugins import Model
from workers.runtimes.remote import exchange
from workers.runtimes.remote.exchange import check_status, retry_after_s

ROWS = np.linspace(-1, 1, 48, dtype=np.float32).reshape(12, 4)


def asked(far: FarSide) -> int:
    return int(far.seen()["asked"])


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_what_may_pass_is_unavailable(status: int) -> None:
    with pytest.raises(RemoteUnavailable, match=str(status)) as error:
        check_status(status, {"retry-after": "7"})
    assert error.value.retryable
    assert error.value.retry_after_s == 7


@pytest.mark.parametrize("status", [201, 204, 301, 302, 304, 307, 308, 400, 401, 403, 404, 409, 413, 415, 422])
def test_anything_else_but_200_is_refused(status: int) -> None:
    with pytest.raises(RemoteRefused, match=str(status)) as error:
        check_status(status, {"retry-after": "7", "location": "http://127.0.0.1/secret"})
    assert not error.value.retryable
    assert "secret" not in error.value.detail
    assert error.value.detail.endswith(".")
    check_status(200, {})


NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
RETRY_AFTER = {
    "": 0, "0": 0, "7": 7, " 7 ": 7, "99999": 300, "9" * 500: 300, "-7": 0, "7.5": 0, "soon": 0, "\u0667": 7,
    "Thu, 01 Jan 2026 12:00:05 GMT": 5, "Thu, 01 Jan 2026 11:00:00 GMT": 0, "Fri, 01 Jan 2027 12:00:00 GMT": 300,
    "Thu, 01 Jan 2026 12:00:05": 5, "Thu, 99 Jan 2026 12:00:05 GMT": 0,
}  # fmt: skip


@pytest.mark.parametrize("text", RETRY_AFTER)
def test_retry_after_is_seconds_or_a_date(text: str) -> None:
    assert retry_after_s({"retry-after": text}, NOW) == RETRY_AFTER[text]
    assert retry_after_s({}, NOW) == 0


PASSING: dict[str, dict[str, Any]] = {
    "overloaded": {"mode": "status", "status": 429},
    "overloaded, for a moment": {"mode": "status", "status": 503, "headers": {"Retry-After": "0"}},
    "broken": {"mode": "status", "status": 500},
    "dropped": {"mode": "drop"},
    "cut": {"mode": "cut"},
}


@pytest.mark.parametrize("fault", PASSING)
def test_a_request_is_tried_again(model: Callable[..., Model], far: FarSide, fault: str) -> None:
    loaded, before = model(retries=2), asked(far)
    far.switch(**PASSING[fault], count=2)
    np.testing.assert_allclose(loaded.forward({"input": ROWS}), far_side.waves(ROWS), atol=1e-6)
    assert asked(far) == before + 3


@pytest.mark.parametrize("fault", PASSING)
def test_after_its_retries_it_is_the_queues_business(model: Callable[..., Model], far: FarSide, fault: str) -> None:
    loaded, before = model(retries=1), asked(far)
    far.switch(**PASSING[fault], count=-1)
    with pytest.raises(RemoteUnavailable) as error:
        loaded.forward({"input": ROWS})
    assert asked(far) == before + 2
    assert "secret" not in error.value.detail


def test_a_far_side_that_wants_to_be_left_alone_is(model: Callable[..., Model], far: FarSide) -> None:
    loaded, before = model(retries=5), asked(far)
    far.switch(mode="status", status=429, headers={"Retry-After": "30"}, count=-1)
    with pytest.raises(RemoteUnavailable) as error:
        loaded.forward({"input": ROWS})
    assert error.value.retry_after_s == 30
    assert asked(far) == before + 1


@pytest.mark.parametrize("status", [302, 400, 404])
def test_a_refusal_is_not_tried_again(model: Callable[..., Model], far: FarSide, status: int) -> None:
    loaded, before = model(retries=5), asked(far)
    far.switch(mode="status", status=status, headers={"Location": f"{far.url}/v2/models/waves/infer"}, count=-1)
    with pytest.raises(RemoteRefused):
        loaded.forward({"input": ROWS})
    assert asked(far) == before + 1


SLOW: dict[str, dict[str, Any]] = {
    "silent": {"delay_s": 3.0},
    "a byte now and then": {"mode": "trickle", "every_s": 0.05},
}


@pytest.mark.parametrize("fault", SLOW)
def test_a_request_takes_no_longer_than_it_may(model: Callable[..., Model], far: FarSide, fault: str) -> None:
    """In all, not per byte; and meanwhile other threads of this process go on."""
    loaded = model(timeout_s=0.4)
    far.switch(**SLOW[fault])
    turns, over = [], threading.Event()

    def spin() -> None:
        while not over.wait(0.01):
            turns.append(1)

    other = threading.Thread(target=spin)
    other.start()
    began = time.monotonic()
    with pytest.raises(RemoteUnavailable, match=r"within 0\.4 s"):
        loaded.forward({"input": ROWS})
    took = time.monotonic() - began
    over.set()
    other.join()
    assert took < 2.5
    assert len(turns) > 5


def test_an_answer_without_end_is_not_taken_in(
    model: Callable[..., Model], far: FarSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = model()
    monkeypatch.setattr(exchange, "MOST_BYTES", 1000)
    far.switch(mode="body", body=" " * 1001)
    with pytest.raises(RemoteAnswerInvalid, match="larger than 1000 bytes"):
        loaded.forward({"input": ROWS})


def test_nobody_there(model: Callable[..., Model]) -> None:
    with pytest.raises(RemoteUnavailable, match="cannot be reached"):
        model(url="http://127.0.0.1:9")


def test_a_call_that_nobody_waits_for_ends_soon(model: Callable[..., Model], fresh: FarSide) -> None:
    """Abandoned from another thread, as the heartbeat does; the next call is none the worse for it."""
    loaded: Any = model(url=fresh.url, timeout_s=60, batch=4, concurrency=2, retries=5)
    fresh.switch(delay_s=30, count=2)
    ended: list[BaseException] = []

    def call() -> None:
        try:
            loaded.forward({"input": ROWS})
        except RemoteUnavailable as error:
            ended.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    until(lambda: fresh.seen()["at_once"] == 2)
    loaded.abandon()
    thread.join(15)
    assert len(ended) == 1
    assert fresh.seen()["asked"] == 2
    np.testing.assert_allclose(loaded.forward({"input": ROWS}), far_side.waves(ROWS), atol=1e-6)


# --- batches, threads and connections


def test_rows_go_out_in_batches_and_come_back_in_order(model: Callable[..., Model], far: FarSide) -> None:
    loaded, before = model(batch=5, concurrency=3), len(far.seen()["rows"])
    np.testing.assert_allclose(loaded.forward({"input": ROWS}), far_side.waves(ROWS), atol=1e-6)
    assert sorted(far.seen()["rows"][before:]) == [2, 5, 5]


@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_requests_at_a_time_than_the_card_says(model: Callable[..., Model], fresh: FarSide, concurrency: int) -> None:
    """And as many as it says, where there is work: the slow answers overlap. Connections are used again."""
    loaded = model(url=fresh.url, batch=1, concurrency=concurrency)
    before = fresh.seen()["connections"]
    fresh.switch(delay_s=0.05, count=-1)
    for _ in range(2):
        loaded.forward({"input": ROWS[:6]})
    seen = fresh.seen()
    assert seen["most_at_once"] == concurrency
    assert seen["connections"] - before <= concurrency + 2  # two are the test's own


def test_when_one_batch_fails_those_that_wait_are_not_asked(model: Callable[..., Model], fresh: FarSide) -> None:
    """And when the failure is told, none is on its way any more."""
    loaded = model(url=fresh.url, batch=1, concurrency=2)
    fresh.switch(mode="status", status=400, count=-1, delay_s=0.1)
    with pytest.raises(RemoteRefused):
        loaded.forward({"input": ROWS})
    seen = fresh.seen()
    assert seen["asked"] < len(ROWS)
    assert seen["at_once"] == 0


def test_a_connection_that_was_closed_meanwhile_is_made_anew(model: Callable[..., Model], fresh: FarSide) -> None:
    """The server has died and is back between two chunks: no job notices."""
    loaded = model(url=fresh.url)
    loaded.forward({"input": ROWS})
    fresh.kill()
    fresh.start()
    loaded.forward({"input": ROWS})
    fresh.kill()
    with pytest.raises(RemoteUnavailable, match="cannot be reached"):
        loaded.forward({"input": ROWS})
    fresh.start()
    np.testing.assert_allclose(loaded.forward({"input": ROWS}), far_side.waves(ROWS), atol=1e-6)
