"""`explainery demo` as a user sees it: answers, pictures, a line for the shell that works, a clean end."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explainery.demo import models
from explainery.supervisor.ports import free_port

PICTURES = ["heat-map-digits-cnn", "waterfall-breast-cancer-mlp", "waterfall-wine-forest", "waterfall-diabetes-regressor"]
LIMIT_S = 150


class Demo:
    """A running demo; its lines as they come."""

    def __init__(self, home: Path) -> None:
        environment = {**os.environ, "EXPLAINERY_HOME": str(home), "EXPLAINERY_PORT": str(free_port("127.0.0.1"))}
        environment |= {"EXPLAINERY_DEVICE": "cpu", "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "explainery", "demo"]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def until(self, start: str) -> str:
        """The next line that starts so."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            line = self._queue.get(timeout=max(0.1, deadline - time.monotonic()))
            assert line is not None, "the demo ended:\n" + "".join(self.lines)
            self.lines.append(line)
            if line.startswith(start):
                return line

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line)
        self._queue.put(None)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    running = Demo(tmp_path)
    yield running
    running.process.kill()
    running.process.wait()
    running.reader.join()
    running.process.stdout.close()


@pytest.mark.timeout(LIMIT_S + 60)
def test_the_demo(demo: Demo, tmp_path: Path):
    """One test, for one demo takes a while: what it says, the line it gives, what it draws, how it ends."""
    line = demo.until("curl ")
    check_what_is_told("".join(demo.lines))
    check_the_line(line)
    for name in PICTURES:
        check_picture(tmp_path / "demo" / f"{name}.png")
    check_the_end(demo, tmp_path / "run")


def check_what_is_told(said: str) -> None:
    for name in models.MODELS:
        assert f"─ {name} " in said
    for words in (
        "with probability",
        "body mass index",
        "36.1 kg/m²",
        "points",
        "completeness gap",
        "worst smoothness",
        "verdict",
    ):
        assert words in said
    assert " fail " not in said


def check_the_line(line: str) -> None:
    answer = subprocess.run(["bash", "-c", line], capture_output=True, check=True, text=True)
    job = json.loads(answer.stdout)
    assert job["status"] == "succeeded"
    assert job["model"]["name"] == "diabetes-regressor"


def check_picture(path: Path) -> None:
    """Large enough, coloured in parts, and nothing cut off at the edges."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"), dtype=float)
    assert min(pixels.shape[:2]) > 400
    assert 0.005 < (np.ptp(pixels, axis=2) > 60).mean() < 0.6
    for edge in (pixels[:3], pixels[-3:], pixels[:, :3], pixels[:, -3:]):
        assert (edge > 250).all(), f"{path.name} touches its edge"


def check_the_end(demo: Demo, run: Path) -> None:
    children = [int(file.read_text()) for file in run.glob("*.pid")]
    assert len(children) >= 3  # Redis, a worker, the API
    demo.process.send_signal(signal.SIGTERM)
    assert demo.process.wait(timeout=60) == 0
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []
