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

IS_LONG = "EXPLAINERY_CHAOS_RUNS" in os.environ
PLUGINS = Path(__file__).parent / "plugins"
TIMES = "| what | seconds | bound |\n|---|---|---|"


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


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Callable[[str, float, float], None]:
    """Note how long something took. Only the long run, on a machine of its own, holds it to its bound."""

    def note(what: str, seconds: float, bound_s: float) -> None:
        record_property("time", f"| {what} | {seconds:.2f} | {bound_s:g} |")
        if IS_LONG:
            assert seconds <= bound_s, f"{what} took {seconds:.2f} s"

    return note


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`seed`: as many as EXPLAINERY_CHAOS_RUNS says (1), from EXPLAINERY_CHAOS_SEED (1) on."""
    if "seed" in metafunc.fixturenames:
        first, runs = (int(os.environ.get(f"EXPLAINERY_CHAOS_{name}", "1")) for name in ("SEED", "RUNS"))
        metafunc.parametrize("seed", range(first, first + runs))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The tables of runs and of times, in Markdown."""
    reports = [report for how in ("passed", "failed") for report in terminalreporter.stats.get(how, [])]
    noted = [(name, value) for report in reports if report.when == "call" for name, value in report.user_properties]
    for kind, head in (("chaos", Report.HEAD), ("time", TIMES)):
        rows = [str(value) for name, value in noted if name == kind]
        if rows:
            terminalreporter.write_line("\n".join(("", head, *rows)))
