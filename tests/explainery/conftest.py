"""A whole service (`explainery up`: Redis, worker, API) on closed-form models, shared by the tests that only use it."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

START_S = 120.0
STOP_S = 60.0

CARD = """
title = "{title}"
format = "stub"

[[inputs]]
name = "x"
datatype = "FP64"
shape = [-1, 3]
modality = "tabular"
features = ["age", "income", "debt"]
units = ["years", "", "EUR"]

[[outputs]]
name = "risk"
datatype = "FP64"
shape = [-1, 1]
kind = "regression"

[baseline]
x = "baseline.npy"

[stub]
form = "linear"
weights = [1.0, 2.0, 3.0]
delay_s = {delay_s}
"""
PAIR = """
title = "Two inputs"
format = "stub"

[[inputs]]
name = "left"
datatype = "FP32"
shape = [-1, 2]

[[inputs]]
name = "right"
datatype = "FP32"
shape = [-1, 1]

[[outputs]]
name = "scores"
datatype = "FP32"
shape = [-1, 2]
labels = ["no", "yes"]

[stub]
form = "linear"
weights = [[1.0, 0.0, 0.0], [0.0, 1.0, 2.0]]
"""


@dataclass(frozen=True)
class Up:
    """A running `explainery up`."""

    process: subprocess.Popen[str]
    home: Path
    url: str

    def pid(self, name: str) -> int:
        return int((self.home / "run" / f"{name}.pid").read_text())


def write_models(repository: Path) -> None:
    """`linear`, `slow` (0.1 s a call), `pair`, and `broken`, whose output is not finite."""
    for name, delay_s in (("linear", 0.0), ("slow", 0.1)):
        folder = repository / name / "1"
        folder.mkdir(parents=True)
        (folder / "card.toml").write_text(CARD.format(title=f"A {name} model", delay_s=delay_s))
        np.save(folder / "baseline.npy", np.zeros(3))
    for name, text in (("pair", PAIR), ("broken", PAIR.replace("[[1.0,", "[[nan,"))):
        (repository / name / "1").mkdir(parents=True)
        (repository / name / "1" / "card.toml").write_text(text)


def start(home: Path, **settings: str) -> Up:
    """Start `explainery up` and wait for its line."""
    program = [sys.executable, "-c", "from explainery.cli.main import main; main()", "up"]
    own = {"EXPLAINERY_HOME": str(home), "EXPLAINERY_PORT": "0", "EXPLAINERY_RESCAN_S": "1"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("EXPLAINERY_")}
    with (home / "up.log").open("a") as log:
        process = subprocess.Popen(program, env={**inherited, **own, **settings}, stdout=subprocess.PIPE, stderr=log, text=True)
    line = read_line(process)
    if not line.startswith("ready http://"):
        end(process)
        pytest.fail(f"`explainery up` said {line!r}:\n" + (home / "up.log").read_text()[-3000:])
    return Up(process, home, line.split()[1])


def read_line(process: subprocess.Popen[str]) -> str:
    with selectors.DefaultSelector() as selector:
        assert process.stdout is not None
        selector.register(process.stdout, selectors.EVENT_READ)
        return process.stdout.readline() if selector.select(START_S) else "nothing in time"


def end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(timeout=STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert process.stdout is not None
    process.stdout.close()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A service to ask; leave it as it is."""
    home = tmp_path_factory.mktemp("service")
    write_models(home / "models")
    up = start(home)
    yield up
    end(up.process)


@pytest.fixture
def start_up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Start a service of the test's own, in `tmp_path`; it is gone afterwards."""
    if not (tmp_path / "models").exists():
        write_models(tmp_path / "models")
    started: list[Up] = []

    def begin(**settings: str) -> Up:
        started.append(start(tmp_path, **settings))
        return started[-1]

    yield begin
    for up in started:
        end(up.process)


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Wait until a condition holds; fail after a deadline."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 30.0
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.01)

    return wait


@pytest.fixture
def alive() -> Callable[[int], bool]:
    """Whether a process runs. A zombie does not, once its last thread is gone: until then its connections are open."""

    def runs(pid: int) -> bool:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
            threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
        except (FileNotFoundError, ProcessLookupError):
            return False
        return stat.rpartition(")")[2].split()[0] not in "ZX" or threads > 1

    return runs
