"""A key that is revoked, or expires, while something is open: the stream ends, the request that waits is refused."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from explainery.contract.access import Role
from explainery.contract.errors import StoreUnavailable, Unauthenticated
from explainery.settings import Settings
from explainery.store.access import KeyStore
from explainery.supervisor.commands import service_command
from explainery.supervisor.ports import free_port
from service.passes import LOOK_S, Pass, Passes

PATIENCE_S = 20.0
BOUND_S = 3.0
"""What the documentation says."""
JOBS = "/v1/explanations"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_key_is_looked_at_once_a_second_and_never_good_again(guarded: Any, clock: Clock) -> None:
    made, _ = guarded.keys.create("k", "one", Role.VIEWER)
    passes = Passes(guarded.keys, clock)
    assert passes.good(Pass(made.id))
    guarded.keys.revoke(made.id)
    assert passes.good(Pass(made.id)), "as of a second ago at most"
    clock.now += LOOK_S
    assert not passes.good(Pass(made.id))
    with pytest.raises(Unauthenticated):
        passes.check(Pass(made.id))


def test_expiry_counts_too_and_nobody_asked_is_good(guarded: Any, clock: Clock, until: Any) -> None:
    made, _ = guarded.keys.create("k", "one", Role.VIEWER, ttl_s=0.1)
    until(lambda: not guarded.keys.opens(made.id))
    passes = Passes(guarded.keys, clock)
    assert not passes.good(Pass(made.id))
    assert not passes.good(Pass(None, ends_s=time.time() - 1))
    assert passes.good(Pass(None, ends_s=time.time() + 60))
    assert passes.good(None)


def test_where_redis_is_silent_it_is_asked_once_a_second(clock: Clock) -> None:
    class Silent(KeyStore):
        asked = 0

        def opens(self, key_id: str) -> bool:
            self.asked += 1
            raise StoreUnavailable("it is away")

    keys = Silent(None)  # type: ignore[arg-type]  # it is never asked
    passes = Passes(keys, clock)
    for key_id in "abc":
        with pytest.raises(StoreUnavailable):
            passes.good(Pass(key_id))
    assert keys.asked == 1


class Api:
    """A gunicorn of its own that asks for keys."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.port = free_port()
        environment = {
            "EXPLAINERY_REDIS_URL": settings.redis_url, "EXPLAINERY_PORT": str(self.port), "EXPLAINERY_AUTH": "keys",
            "EXPLAINERY_EVENTS_HEARTBEAT_S": "60",
        }  # fmt: skip
        with log.open("wb") as out:
            self.process = subprocess.Popen(service_command(), env={**os.environ, **environment}, stdout=out, stderr=out)

    def ask(self, token: str, verb: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        shown = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            connection.request(verb, path, None if body is None else json.dumps(body), shown | headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def answers(self) -> bool:
        try:
            return self.ask("none", "GET", "/readyz")[0] == 200
        except OSError:
            return False

    def listen(self, token: str, path: str) -> socket.socket:
        """Open a stream and wait for its first words."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        text = b""
        while b"retry: 1000" not in text:
            text += connection.recv(4096)
        return connection


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def ends(connection: socket.socket) -> bool:
    """Whether the stream is ended before anybody loses patience: the end of a body in chunks, or of the connection."""
    with connection:
        text = b""
        while not text.endswith(b"0\r\n\r\n"):
            piece = connection.recv(4096)
            if not piece:
                return True
            text += piece
        return True


@pytest.fixture
def api(settings: Settings, worker: Any, tmp_path: Path) -> Iterator[Api]:
    made = Api(settings, tmp_path / "log")
    try:
        until(made.answers)
        yield made
    finally:
        made.process.send_signal(signal.SIGTERM)
        made.process.wait(timeout=PATIENCE_S)


def test_what_a_key_has_open_ends_when_it_is_revoked_or_expires(api: Api, worker: Any, loan: dict[str, Any]) -> None:
    keys = KeyStore(worker.redis)
    (leaked, token), (_, good) = (keys.create("k", "one", Role.SUBMITTER) for _ in range(2))
    status, job = api.ask(good, "POST", JOBS, loan)
    assert status == 202
    streams = [api.listen(token, path) for path in ("/v1/events", job["links"]["events"])]
    other = api.listen(good, "/v1/events")
    polls = {
        "ended": ("GET", job["links"]["self"], None, {"Prefer": "wait=30"}),
        "changed": ("GET", job["links"]["self"], None, {"Prefer": "wait=30", "If-None-Match": '"1"'}),
        "submitted": ("POST", JOBS, loan | {"seed": 9}, {"Prefer": "wait=30"}),
        "synchronous": ("POST", "/v1/models/loan:explain", {"instances": [[1.0, 2.0, 0.0, 3.0]]}, {}),
    }
    told: dict[str, tuple[int, Any, float]] = {}

    def poll(name: str, verb: str, path: str, body: Any, headers: dict[str, str]) -> None:
        status, answer = api.ask(token, verb, path, body, **headers)
        told[name] = (status, answer, time.monotonic())

    threads = [threading.Thread(target=poll, args=(name, *asked)) for name, asked in polls.items()]
    for thread in threads:
        thread.start()
    until(lambda: len(api.ask(good, "GET", f"{JOBS}?status=queued")[1]["jobs"]) == 4)  # the synchronous one makes two
    revoked_at = time.monotonic()
    keys.revoke(leaked.id)
    assert all(ends(stream) for stream in streams)
    streams_ended_at = time.monotonic()
    for thread in threads:
        thread.join()
    assert {name: (status, answer["code"]) for name, (status, answer, _) in told.items()} == dict.fromkeys(
        polls, (401, "unauthenticated")
    )
    latest = max(streams_ended_at, *(at for *_, at in told.values()))
    assert latest - revoked_at < BOUND_S
    assert api.ask(token, "GET", JOBS)[0] == 401
    assert api.ask(good, "POST", job["links"]["cancel"])[0] == 200
    text = b""
    while b"explanation.canceled" not in text:  # what another key has open goes on
        text += (piece := other.recv(4096))
        assert piece
    other.close()
    _, short = keys.create("k", "one", Role.VIEWER, ttl_s=1.5)
    assert ends(api.listen(short, "/v1/events"))
