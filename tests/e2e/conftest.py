"""Stacks to test on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from stacks import Stack, write_models


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for the tests that break nothing."""
    running = Stack(tmp_path_factory.mktemp("stack"))
    write_models(running.models)
    running.start()
    yield running
    assert running.stop() == 0


@pytest.fixture
def fragile(tmp_path: Path) -> Iterator[Stack]:
    """A stack of its own for a test that kills or changes things. Short leases: what is waited for is the mechanism."""
    running = Stack(tmp_path, EXPLAINERY_LEASE_S="2")
    write_models(running.models)
    running.start()
    yield running
    assert running.stop() == 0
