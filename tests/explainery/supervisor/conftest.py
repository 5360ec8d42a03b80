"""A supervisor of dummy children, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PROGRAM = """
import json, sys
from pathlib import Path
from explainery.supervisor.child import Launch, Role
from explainery.supervisor.keeper import Keeper
from explainery.supervisor.signals import Signals

home, codes = Path(sys.argv[1]), json.loads(sys.argv[2])

def role(name, code):
    starts = iter(range(1000))
    def launch():
        return Launch([sys.executable, "-S", "-c", code], {"GREETING": "hello"}, f"{name}-{next(starts)}")
    def on_death(launch, lost):
        with (home / "deaths").open("a") as deaths:
            deaths.write(f"{launch.identity} {lost}\\n")
    return Role(name, launch, patience_s=8.0, on_death=on_death)

with Signals() as signals:
    keeper = Keeper(home, signals)
    children = [keeper.start(role(name, code)) for name, code in codes.items()]
    print("up", flush=True)
    while not signals.stops:
        signals.wait(keeper.look())
    for child in reversed(children):
        keeper.stop([child])
print("down", flush=True)
"""

Until = Callable[[Callable[[], object]], None]


@pytest.fixture
def pid_of(tmp_path: Path, until: Until) -> Callable[[str], int]:
    """The pid in a child's pid file, once there is one."""

    def read(name: str) -> int:
        path = tmp_path / "run" / f"{name}.pid"
        until(path.exists)
        return int(path.read_text())

    return read


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[[dict[str, str]], subprocess.Popen[str]]]:
    """Start a supervisor of children given as name -> Python code; it is gone after the test."""
    import json

    started: list[subprocess.Popen[str]] = []

    def start(codes: dict[str, str]) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PROGRAM, str(tmp_path), json.dumps(codes)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
