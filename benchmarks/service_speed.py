"""The whole service on this machine: what it adds to a no-op job, jobs per second, and small jobs fused against one by one."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.models import FACTORIES, add_net, add_stub
from benchmarks.tables import met, show

JOBS = 2000
CLIENTS = 16
SMALL_JOBS = 256
HEADERS = {"Content-Type": "application/json"}


def main() -> None:
    """Print the tables of the service."""
    with tempfile.TemporaryDirectory() as home, service(Path(home)) as address:
        _run(address, "no-op", "saliency", [[1.0] * 4], 200, 1)  # warm
        alone = _run(address, "no-op", "saliency", [[1.0] * 4], 500, 1)
        many = _run(address, "no-op", "saliency", [[1.0] * 4], JOBS, CLIENTS)
        again = _run(address, "no-op", "saliency", [[1.0] * 4], JOBS, CLIENTS, fresh=False)
        show(
            "The service over a no-op job (POST that waits for the result; API, worker, Redis and clients share the cores)",
            ("clients", "jobs/s", "p50 ms", "p99 ms", "bounds"),
            [
                (1, f"{alone[0]:.0f}", *_ms(alone[1]), _latency(alone[1])),
                (CLIENTS, f"{many[0]:.0f}", *_ms(many[1]), met(many[0], 400.0)),
                (f"{CLIENTS}, the same again", f"{again[0]:.0f}", *_ms(again[1]), met(again[0], 500.0)),
            ],
        )
        show(
            f"{SMALL_JOBS} small jobs: submitted at once and fused, against one by one (the next when the last has its result)",
            ("model", "method", "one by one s", "fused s", "ratio", "bound"),
            [
                _fused(address, "call-10ms", "feature_ablation", [1.0] * 4, 5.0),
                _fused(address, "mlp", "feature_ablation", [0.5] * 12, None),
                _fused(address, "mlp", "kernel_shap", [0.5] * 12, None),
            ],
        )


@contextmanager
def service(home: Path, **settings: str) -> Iterator[tuple[str, int]]:
    """A running `explainery up` in a fresh home."""
    folder = home / "models"
    add_stub(folder, "no-op", 4, form="linear", weights=[1.0, 2.0, 3.0, 4.0])
    add_stub(folder, "call-10ms", 4, form="linear", weights=[1.0, 2.0, 3.0, 4.0], call_s=0.01)
    add_net(folder, "mlp", "mlp", {"features": 12}, [12], 3)
    environment = {
        **os.environ,
        "EXPLAINERY_HOME": str(home),
        "EXPLAINERY_PORT": "0",
        "EXPLAINERY_FACTORIES": FACTORIES,
        **settings,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")]),
    }
    for name in ("EXPLAINERY_REDIS_URL", "EXPLAINERY_MODELS"):
        environment.pop(name, None)
    with subprocess.Popen([sys.executable, "-m", "explainery", "up"], env=environment, stdout=subprocess.PIPE) as process:
        try:
            ready = process.stdout.readline().decode() if process.stdout else ""
            host, _, port = ready.strip().rpartition("/")[2].partition(":")
            yield host, int(port)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _body(model: str, method: str, rows: list[list[float]], *, fresh: bool = True) -> bytes:
    return json.dumps({"model": model, "method": method, "instances": rows, "fresh": fresh}).encode()


def _post(connection: http.client.HTTPConnection, body: bytes, prefer: str) -> dict[str, Any]:
    connection.request("POST", "/v1/explanations", body, {**HEADERS, "Prefer": prefer})
    answer = connection.getresponse()
    content = json.loads(answer.read())
    if answer.status not in (200, 202) or content["status"] == "failed":
        raise RuntimeError(f"{answer.status}: {content}")
    return dict(content)


def _run(
    address: tuple[str, int], model: str, method: str, rows: list[list[float]], jobs: int, clients: int, *, fresh: bool = True
) -> tuple[float, list[float]]:
    """Jobs per second, and each job's seconds from request to finished answer."""
    body, seconds = _body(model, method, rows, fresh=fresh), []

    def client() -> None:
        connection = http.client.HTTPConnection(*address)
        for _ in range(jobs // clients):
            began = time.perf_counter()
            job = _post(connection, body, "wait=30")
            seconds.append(time.perf_counter() - began)
            if job["status"] != "succeeded":
                raise RuntimeError(job["status"])
        connection.close()

    began = time.perf_counter()
    _together([client] * clients)
    return len(seconds) / (time.perf_counter() - began), seconds


def _fused(address: tuple[str, int], model: str, method: str, row: list[float], bound: float | None) -> tuple[object, ...]:
    """The same jobs one after the other, and all at once."""
    body = _body(model, method, [row])
    _run(address, model, method, [row], 20, 1)
    began = time.perf_counter()
    _run(address, model, method, [row], SMALL_JOBS, 1)
    single = time.perf_counter() - began
    began = time.perf_counter()
    ids: list[str] = []

    def submit() -> None:
        connection = http.client.HTTPConnection(*address)
        ids.extend(_post(connection, body, "respond-async")["id"] for _ in range(SMALL_JOBS // CLIENTS))
        connection.close()

    _together([submit] * CLIENTS)
    connection = http.client.HTTPConnection(*address)
    for job_id in ids:
        while True:
            connection.request("GET", f"/v1/explanations/{job_id}", headers={"Prefer": "wait=30"})
            if json.loads(connection.getresponse().read())["status"] == "succeeded":
                break
    fused = time.perf_counter() - began
    return model, method, f"{single:.2f}", f"{fused:.2f}", f"{single / fused:.1f}", met(single / fused, bound) if bound else "-"


def _together(actions: list[Any]) -> None:
    threads = [threading.Thread(target=action) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _latency(seconds: list[float]) -> str:
    p50, p99 = (float(np.quantile(seconds, share)) * 1000 for share in (0.5, 0.99))
    return f"p50 {met(p50, 6.0, at_least=False)}, p99 {met(p99, 25.0, at_least=False)}"


def _ms(seconds: list[float]) -> tuple[str, str]:
    return f"{np.median(seconds) * 1000:.1f}", f"{np.quantile(seconds, 0.99) * 1000:.1f}"


if __name__ == "__main__":
    main()
