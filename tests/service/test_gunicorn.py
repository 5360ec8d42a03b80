"""One real gunicorn process: the command line of `explainery serve`."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from explainery.settings import Settings
from explainery.supervisor.commands import service_command

START_S = 30.0
LIMIT = 1_000_000


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def served(settings: Settings, port: int, serving: Any, tmp_path: Path) -> Iterator[Path]:
    """A running API; gives the file its log goes to."""
    environment = {
        "EXPLAINERY_REDIS_URL": settings.redis_url, "EXPLAINERY_PORT": str(port), "EXPLAINERY_MAX_BODY_BYTES": str(LIMIT),
    }  # fmt: skip
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(service_command(), env={**os.environ, **environment}, stdout=out, stderr=out)
    try:
        wait_until_it_answers(port, process, log)
        yield log
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=START_S) == 0


def wait_until_it_answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            assert ask(port, "GET", "/readyz")[0] == 200
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail("the API did not start:\n" + log.read_text())
            time.sleep(0.05)
        else:
            return


def ask(port: int, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        chunked = not isinstance(body, (bytes, type(None)))
        connection.request(method, path, body, {"Content-Type": "application/json", **headers}, encode_chunked=chunked)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), json.loads(answer.read() or b"null")
    finally:
        connection.close()


def raw(port: int, told: bytes) -> bytes:
    """What comes back to bytes that are no good request."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(told)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def pieces(size: int) -> Iterator[bytes]:
    """A body without a Content-Length."""
    for _ in range(size // 10_000):
        yield b" " * 10_000


def test_gunicorn_serves_the_wire(served: Path, port: int, loan: dict[str, Any]) -> None:
    status, headers, job = ask(port, "POST", "/v1/explanations", json.dumps(loan).encode(), Prefer="wait=20")
    assert (status, job["status"]) == (200, "succeeded")
    assert "gunicorn" not in headers.get("Server", "")
    assert ask(port, "GET", job["links"]["result"])[2]["id"] == job["id"]
    for body in (b" " * (LIMIT + 1), pieces(LIMIT + 10_000)):
        kind = {"Transfer-Encoding": "chunked"} if not isinstance(body, bytes) else {}
        status, _, problem = ask(port, "POST", "/v1/explanations", body, **kind)
        assert (status, problem["code"], problem["limit"]) == (413, "payload_too_large", LIMIT)
    canary = "secret-of-mine"
    for told, status in (
        (b"GET /healthz HTTP/1.1\r\nAuthorization: Bearer %s\x00\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nX (%s): 1\r\n\r\n", 400),
        (b"%s\r\n\r\n", 400),
        (b"GET /healthz?" + b"x" * 9000 + b"%s HTTP/1.1\r\n\r\n", 414),
        (b"GET /healthz HTTP/1.1\r\n" + b"X: 1\r\n" * 200 + b"X: %s\r\n\r\n", 431),
        (b"POST /v1/events HTTP/1.1\r\nTransfer-Encoding: %s\r\n\r\n", 501),
    ):
        head, _, body = raw(port, told % canary.encode()).partition(b"\r\n\r\n")
        problem = json.loads(body)
        assert (int(head.split()[1]), problem["status"]) == (status, status)
        assert b"application/problem+json" in head
        assert canary not in head.decode() + json.dumps(problem) + served.read_text()
    assert ask(port, "DELETE", job["links"]["self"])[0] == 204
    assert ask(port, "GET", job["links"]["self"])[0] == 410
    lines = [json.loads(line) for line in served.read_text().splitlines()]
    assert {"POST"} <= {line["method"] for line in lines if line.get("event") == "request"}
