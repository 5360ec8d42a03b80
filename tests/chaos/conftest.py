"""Stacks to break, and the table of what came of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from stacks import Stack

sys.path.append(str(Path(__file__).parent))  # proxy, ledger and storm stand beside the tests that use them

from storm import Report

PLUGINS = Path(__file__).parent / "plugins"


@pytest.fixture
def outside() -> Iterator[ExitStack]:
    """What is to be closed after the stacks have stopped."""
    with ExitStack() as closing:
        yield closing


@pytest.fixture
def stack_of(tmp_path: Path, outside: ExitStack) -> Iterator[Callable[..., Stack]]:
    """Start a stack with two workers, short leases and the method `treacherous`; settings are given by name."""
    started: list[Stack] = []

    def start(models: Callable[[Stack], None], **settings: str) -> Stack:
        chosen = {"WORKERS": "2", "LEASE_S": "2", "GRACE_S": "1", "PLUGINS": str(PLUGINS), **settings}
        stack = Stack(tmp_path, **{f"EXPLAINERY_{name}": value for name, value in chosen.items()})
        models(stack)
        started.append(stack)
        stack.start()
        return stack

    yield start
    for stack in started:
        assert stack.stop() == 0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`seed`: as many as EXPLAINERY_CHAOS_RUNS says (1), from EXPLAINERY_CHAOS_SEED (1) on."""
    if "seed" in metafunc.fixturenames:
        first, runs = (int(os.environ.get(f"EXPLAINERY_CHAOS_{name}", "1")) for name in ("SEED", "RUNS"))
        metafunc.parametrize("seed", range(first, first + runs))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of runs, in Markdown."""
    reports = [report for how in ("passed", "failed") for report in terminalreporter.stats.get(how, [])]
    rows = [value for report in reports for name, value in report.user_properties if name == "chaos" and report.when == "call"]
    if rows:
        terminalreporter.write_line(Report.HEAD)
        for row in rows:
            terminalreporter.write_line(str(row))
