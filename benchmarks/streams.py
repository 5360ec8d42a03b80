"""Event streams: 200 of them open, and what that does to those who only ask."""

from __future__ import annotations

import http.client
import json
import selectors
import socket
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from benchmarks.service_speed import service
from benchmarks.tables import met, show

STREAMS = 200
JOBS = 400
EVERY_S = 0.05
LIMIT_MS = 200.0
BODY = json.dumps({"model": "no-op", "method": "saliency", "instances": [[1.0] * 4], "fresh": True}).encode()
HEADERS = {"Content-Type": "application/json"}
TYPE, PROGRESS = b"event: explanation.", b"event: explanation.progress"
"""Events of the second type are not kept, so nobody need be told of them."""
Address = tuple[str, int]


def main() -> None:
    """Print the table of streams."""
    with tempfile.TemporaryDirectory() as home, service(Path(home)) as address:
        _submit(address, 100)  # warm
        rows = [_row(address, "none", 0, "")]
        rows.append(_row(address, "of other tenants' jobs", STREAMS, "X-Explainery-Tenant: quiet\r\n"))
        rows.append(_row(address, "of every job", STREAMS, ""))
        show(
            f"{JOBS} jobs at {1 / EVERY_S:.0f}/s and as many looks at /healthz beside open event streams (all share the cores)",
            ("streams", "healthz p50 ms", "p99", "bound", "submit p50 ms", "p99", "bound", "events told", "missed"),
            rows,
        )


class Listeners:
    """Reads many streams in one thread, and counts what each is told."""

    def __init__(self, address: Address, count: int, headers: str) -> None:
        self._selector = selectors.DefaultSelector()
        self.told, self._ends = [0] * count, [b""] * count
        self._sockets = [self._open(address, headers, number) for number in range(count)]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _open(self, address: Address, headers: str, number: int) -> socket.socket:
        connection = socket.create_connection(address)
        connection.sendall(f"GET /v1/events HTTP/1.1\r\nHost: here\r\n{headers}\r\n".encode())
        if b" 200 " not in connection.recv(4096).splitlines()[0]:
            raise RuntimeError("the stream was refused")
        self._selector.register(connection, selectors.EVENT_READ, number)
        return connection

    def _read(self) -> None:
        while not self._over.is_set():
            for key, _ in self._selector.select(0.1):
                piece = key.fileobj.recv(2**16)  # type: ignore[union-attr]  # a socket
                whole, end, rest = (self._ends[key.data] + piece).rpartition(b"\n\n")
                self.told[key.data] += whole.count(TYPE) - whole.count(PROGRESS)
                self._ends[key.data] = rest if end else whole + rest

    def close(self) -> None:
        """Stop listening."""
        self._over.set()
        self._thread.join()
        for connection in self._sockets:
            connection.close()


def _row(address: Address, name: str, count: int, headers: str) -> tuple[object, ...]:
    listeners = Listeners(address, count, headers)
    seen: list[float] = []
    looking = threading.Thread(target=lambda: seen.extend(_timed(address, "GET", "/healthz", JOBS)))
    looking.start()
    submitted = _submit(address, JOBS)
    looking.join()
    expected = 0 if headers or not count else 3 * JOBS  # queued, running, succeeded
    deadline = time.monotonic() + 20
    while min(listeners.told, default=expected) < expected and time.monotonic() < deadline:
        time.sleep(0.05)
    listeners.close()
    time.sleep(2)  # until the service has noticed
    label = f"{count}, {name}" if count else name
    missed = sum(expected - told for told in listeners.told)
    return label, *_figures(seen), *_figures(submitted), sum(listeners.told), missed


def _submit(address: Address, jobs: int) -> list[float]:
    return _timed(address, "POST", "/v1/explanations", jobs)


def _timed(address: Address, verb: str, path: str, count: int) -> list[float]:
    """Seconds of each of `count` requests, one every `EVERY_S` by the clock, whatever the one before took."""
    connection, seconds = http.client.HTTPConnection(*address), []
    begun = time.perf_counter()
    for number in range(count):
        time.sleep(max(0.0, begun + number * EVERY_S - time.perf_counter()))
        asked = time.perf_counter()
        connection.request(verb, path, BODY if verb == "POST" else None, HEADERS)
        answer = connection.getresponse()
        answer.read()
        if answer.status not in (200, 202):
            raise RuntimeError(str(answer.status))
        seconds.append(time.perf_counter() - asked)
    connection.close()
    return seconds


def _figures(seconds: list[float]) -> tuple[str, str, str]:
    p50, p99 = (float(np.quantile(seconds, share)) * 1000 for share in (0.5, 0.99))
    return f"{p50:.1f}", f"{p99:.1f}", met(p99, LIMIT_MS, at_least=False)


if __name__ == "__main__":
    main()
