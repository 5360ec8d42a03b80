"""A model server in another process, and a laboratory that may call it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from far_sides import FarSide, add_remote, lab_over

from workers.plugins import Model


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarSide]:
    """One for all tests that do not kill it."""
    running = FarSide(tmp_path_factory.mktemp("far")).start()
    yield running
    running.kill()


@pytest.fixture
def far(server: FarSide) -> Iterator[FarSide]:
    """The server, behaving."""
    yield server
    server.switch(count=0)


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture
def model(tmp_path: Path, far: FarSide) -> Callable[..., Model]:
    """Load a remote model of the server: `waves` where nothing else is said, and no retries."""

    def load_one(*allowed: str, url: str = "", **remote: Any) -> Model:
        add_remote(tmp_path, "m", url or far.url, **{"retries": 0, **remote})
        return lab_over(tmp_path, *allowed).load("m").model

    return load_one


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarSide]:
    """A server for one test, which may count what it is asked, or kill it."""
    running = FarSide(tmp_path_factory.mktemp("fresh")).start()
    yield running
    running.kill()
