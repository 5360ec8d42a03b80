"""Targets of webhooks: real HTTP servers on loopback that keep what they were sent, and answer as they are told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from explainery.contract.signatures import signature

PATIENCE_S = 20.0
Answer = tuple[int, dict[str, str]]


class Target:
    """What came: headers (lower case) and body of each request. `answers`: given one after another, the last for ever."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [(204, {})]
        self.seen: list[tuple[dict[str, str], bytes]] = []
        self.hold = threading.Event()
        self.hold.set()
        self._lock = threading.Lock()
        target = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(size := int(self.headers["Content-Length"]))
                if len(body) < size:
                    return  # who sent it was killed meanwhile
                with target._lock:
                    target.seen.append(({name.lower(): value for name, value in self.headers.items()}, body))
                    status, headers = target.answers[min(len(target.seen), len(target.answers)) - 1]
                target.hold.wait(PATIENCE_S)
                self.send_response(status)
                for name, value in {"Content-Length": "0", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """Nobody waited for the answer any more."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/hook?x=1"

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in list(self.seen)]

    def signed(self, secret: str) -> bool:
        """Whether all that came is signed by this secret."""
        return bool(self.seen) and all(
            headers["webhook-signature"] == signature(secret, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
            for headers, body in self.seen
        )

    def close(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def targets(count: int = 1) -> Iterator[list[Target]]:
    made = [Target() for _ in range(count)]
    try:
        yield made
    finally:
        for target in made:
            target.close()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
