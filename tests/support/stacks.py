"""A whole Explainery: `explainery up` with its Redis, a Celery worker process and the API, on a free port, in a fresh home."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np
import repos

START_S = 60.0
T = TypeVar("T")


class Stack:
    """A running `explainery up`."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.models = home / "models"
        support = str(Path(repos.__file__).parent)
        self.environment = {
            **os.environ,
            "EXPLAINERY_HOME": str(home),
            "EXPLAINERY_PORT": "0",
            "EXPLAINERY_FACTORIES": "nets",
            "EXPLAINERY_RESCAN_S": "0.5",
            "PYTHONPATH": os.pathsep.join(filter(None, [support, os.environ.get("PYTHONPATH")])),
            **environment,
        }
        for name in ("EXPLAINERY_REDIS_URL", "EXPLAINERY_MODELS"):
            if name not in environment:
                self.environment.pop(name, None)
        self.http = httpx.Client()

    def start(self) -> None:
        with (self.home / "up.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "explainery", "up"],
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.home,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode()
        assert line.startswith("ready http://"), (line, (self.home / "up.log").read_text()[-3000:])
        self.http = httpx.Client(base_url=line.split()[1], timeout=30)

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self.ended_by_itself()

    def ended_by_itself(self) -> int:
        """Wait for an end that somebody else has asked for."""
        self.http.close()
        code = self._process.wait(timeout=START_S)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    def pid(self, child: str) -> int:
        return int((self.home / "run" / f"{child}.pid").read_text())

    def kill(self, child: str) -> int:
        """End a child without warning; give back its pid."""
        pid = self.pid(child)
        os.kill(pid, signal.SIGKILL)
        return pid

    # --- the wire

    def post(self, body: dict[str, Any], **headers: str) -> httpx.Response:
        return self.http.post("/v1/explanations", json=body, headers=headers)

    def submit(self, model: str, method: str, rows: list[Any], **more: Any) -> str:
        answer = self.post({"model": model, "method": method, "instances": rows, **more})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        answer = self.http.get(f"/v1/explanations/{job_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def ended(self, job_id: str, within_s: float = 30) -> dict[str, Any]:
        ended = ("succeeded", "failed", "canceled", "expired")
        return until(lambda: job if (job := self.job(job_id))["status"] in ended else None, within_s)

    def result(self, job_id: str) -> dict[str, Any]:
        job = self.ended(job_id)
        assert job["status"] == "succeeded", job
        return dict(self.http.get(f"/v1/explanations/{job_id}/result").json())


def until(look: Callable[[], T | None], within_s: float = 30) -> T:
    """Wait for a condition: the first answer that is not None or False."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)
    return found


def write_models(folder: Path) -> None:
    """Stubs, torch and ONNX, small enough to be instant; `slow` takes 10 ms an evaluation."""
    repos.add_stub(folder, "linear", 3, weights=[1.0, 2.0, 3.0], bias=1.0)
    repos.add_stub(folder, "slow", 3, weights=[1.0, 2.0, 3.0], delay_s=0.01)
    table = repos.tensor_input(
        "input", [4], modality="tabular", features=["age", "sex_f", "sex_m", "income"], groups={"sex": ["sex_f", "sex_m"]}
    )
    repos.add_torch(folder, "table", "nets:linear", {"features": 4}, table, repos.output(1, kind="regression"))
    image = repos.tensor_input("input", [1, 8, 8], modality="image", layout="NCHW")
    repos.add_torch(folder, "cnn", "nets:cnn", {}, image, repos.output(4, labels=["a", "b", "c", "d"]))
    repos.add_torch(folder, "picky", "nets:picky", {}, repos.tensor_input("input", [3]), repos.output(1))
    repos.add_onnx_linear(folder, "onnx", np.array([[1.0, 0.0], [2.0, 1.0], [3.0, -1.0]]))
