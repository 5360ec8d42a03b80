"""Event streams through gunicorn: many of them open leave the others their threads, and hold nobody up."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from explainery.settings import Settings
from explainery.supervisor.commands import service_command
from explainery.supervisor.ports import free_port

PATIENCE_S = 30.0
STREAMS = 40


class Api:
    """A gunicorn of its own with few threads for requests."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.port = free_port()
        environment = {
            "EXPLAINERY_REDIS_URL": settings.redis_url, "EXPLAINERY_PORT": str(self.port), "EXPLAINERY_API_THREADS": "2",
            "EXPLAINERY_MAX_STREAMS": str(STREAMS),
        }  # fmt: skip
        with log.open("wb") as out:
            self.process = subprocess.Popen(service_command(), env={**os.environ, **environment}, stdout=out, stderr=out)

    def ask(self, verb: str, path: str, body: Any = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(verb, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def answers(self) -> bool:
        try:
            return self.ask("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def listen(self, path: str = "/v1/events") -> socket.socket:
        """Open a stream and wait for its first words."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        return connection


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def heard(connection: socket.socket, words: bytes, text: bytes = b"") -> bytes:
    """What comes until it holds these words."""
    while words not in text:
        piece = connection.recv(4096)
        assert piece, text
        text += piece
    return text


@pytest.fixture
def api(settings: Settings, serving: Any, tmp_path: Path) -> Iterator[Api]:
    made = Api(settings, tmp_path / "log")
    try:
        until(made.answers)
        yield made
    finally:
        made.process.send_signal(signal.SIGTERM)
        made.process.wait(timeout=PATIENCE_S)


def test_many_streams_hold_nobody_up(api: Api, loan: dict[str, Any]) -> None:
    streams = [api.listen() for _ in range(STREAMS)]
    for stream in streams:
        assert b" 200 OK" in heard(stream, b"retry: 1000")
    assert api.ask("GET", "/healthz")[0] == 200
    status, problem = api.ask("GET", "/v1/events")
    assert (status, problem["code"]) == (503, "too_many_streams")
    status, job = api.ask("POST", "/v1/explanations", loan)
    assert status == 202
    for stream in streams:
        told = heard(stream, b"event: explanation.succeeded")
        assert told.count(job["id"].encode()) >= 3
    for stream in streams:
        stream.close()
    until(lambda: api.ask("GET", "/v1/events/none")[0] == 404 and _room(api))

    last = api.listen()  # a server that stops ends its streams, and is held up by none
    heard(last, b"retry: 1000")
    api.process.send_signal(signal.SIGTERM)
    assert heard(last, b"0\r\n\r\n").endswith(b"0\r\n\r\n")  # the end of a body in chunks
    assert api.process.wait(timeout=PATIENCE_S) == 0
    last.close()


def _room(api: Api) -> bool:
    """Whether the places of those who left are free: this asks for one and leaves at once."""
    with api.listen() as stream:
        return b" 200 OK" in stream.recv(4096)
