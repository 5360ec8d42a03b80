"""A batch of 100,000 rows, API, worker, coordinator and Redis killed on the way: rows a second, memory, every line once.

`BATCH_ROWS=20000 python -m benchmarks batches` takes fewer.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.models import add_net
from benchmarks.service_speed import HEADERS, service
from benchmarks.tables import met, show
from explainery import Client, ServiceError, ServiceUnreachable

ROWS = int(os.environ.get("BATCH_ROWS", "100000"))
ALONE = 2000
CLIENTS = 16
FEATURES = [f"f{number}" for number in range(12)]
ASKED = {"model": "clients", "method": "integrated_gradients"}
KILLS = ((0.2, "worker-1"), (0.35, "coordinator"), (0.5, "service"), (0.65, "redis"))
PROCESSES = ("service", "worker-1", "coordinator", "redis")
GROWTH = 0.10
MIB = 2**20


def main() -> None:
    """Print the tables of batches."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        table: dict[str, Any] = {"modality": "tabular", "features": FEATURES}
        add_net(home / "models", "clients", "mlp", {"features": 12}, [12], 3, **table)
        with service(home, EXPLAINERY_LEASE_S="3") as address:
            alone = _one_by_one(address)
            with Client(f"http://{address[0]}:{address[1]}", retries=10) as client:
                quiet = _batch(client, home, min(ROWS, 20_000), ())
                killed = _batch(client, home, ROWS, KILLS)
    rows = [
        (f"one job per row, {CLIENTS} clients", ALONE, f"{alone:.0f}", "", ""),
        ("a batch", quiet["rows"], f"{quiet['rate']:.0f}", f"{quiet['rate'] / alone:.1f}", quiet["once"]),
        ("a batch, all killed once", killed["rows"], f"{killed['rate']:.0f}", f"{killed['rate'] / alone:.1f}", killed["once"]),
    ]
    title = "Rows of a table by integrated gradients (12 features; API, worker, coordinator, Redis and clients share the cores)"
    show(title, ("way", "rows", "rows/s", "times", "every line once"), rows)
    sizes = f"input {killed['in'] / MIB:.0f} MiB, output {killed['out'] / MIB:.0f} MiB"
    show(
        f"Resident memory during the batch of {ROWS} rows (MiB; {sizes})",
        ("process", "peak, 1st half", "peak, 2nd half", "flat"),
        [_memory_row(name, killed["memory"][name]) for name in PROCESSES],
    )


def _batch(client: Client, home: Path, rows: int, kills: tuple[tuple[float, str], ...]) -> dict[str, Any]:
    """One batch from upload to its last line; seconds count until it has ended."""
    path = home / "rows.jsonl"
    with path.open("w") as file:
        file.writelines(_lines(rows))
    with _Watch(home) as watch:
        began = time.perf_counter()
        batch = client.submit_batch(path)
        waiting = list(kills)
        while (batch := _patiently(lambda: client.batch(batch["id"])))["status"] not in ("completed", "failed"):
            done = batch["request_counts"]["completed"] / rows
            watch.share = done
            if waiting and done >= waiting[0][0]:
                os.kill(_pid(home, waiting.pop(0)[1]), signal.SIGKILL)
            time.sleep(0.05)
        seconds = time.perf_counter() - began
    if waiting or batch["status"] != "completed":
        raise RuntimeError(f"{batch['status']}, not killed: {waiting}")
    seen = np.zeros(rows, np.int64)
    for line in client.file_lines(batch["output_file_id"]):
        seen[int(line["custom_id"])] += len(line["response"]["body"]["explanations"]) == 1
    once = "yes" if batch["error_file_id"] is None and bool((seen == 1).all()) else f"NO: {int((seen != 1).sum())} not"
    size = client.file(batch["output_file_id"])["bytes"]
    return {
        "rows": rows, "rate": rows / seconds, "once": once, "memory": watch.peaks, "in": path.stat().st_size, "out": size,
    }  # fmt: skip


def _patiently(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Ask again while what was killed is away."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return ask()
        except (ServiceUnreachable, ServiceError, httpx.TransportError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _lines(rows: int) -> Iterator[str]:
    numbers = np.random.Generator(np.random.Philox(5))
    for number in range(rows):
        row = numbers.normal(size=len(FEATURES)).round(4).tolist()
        body = {**ASKED, "instances": [dict(zip(FEATURES, row, strict=True))]}
        yield json.dumps({"custom_id": str(number), "method": "POST", "url": "/v1/explanations", "body": body}) + "\n"


def _one_by_one(address: tuple[str, int]) -> float:
    """Rows a second when each is a job of its own, whose answer is waited for and fetched."""
    bodies = [json.dumps({**json.loads(line)["body"], "fresh": True}).encode() for line in _lines(ALONE)]

    def client(mine: list[bytes]) -> None:
        connection = http.client.HTTPConnection(*address)
        for body in mine:
            connection.request("POST", "/v1/explanations", body, {**HEADERS, "Prefer": "wait=30"})
            job = json.loads(connection.getresponse().read())
            connection.request("GET", job["links"]["result"])
            if len(json.loads(connection.getresponse().read())["explanations"]) != 1:
                raise RuntimeError(job["status"])
        connection.close()

    client(bodies[:50])
    began = time.perf_counter()
    threads = [threading.Thread(target=client, args=(bodies[number::CLIENTS],)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ALONE / (time.perf_counter() - began)


class _Watch:
    """Looks at the memory of every process four times a second. `share`: how much of the batch is done."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.share = 0.0
        self.peaks: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.25):
            for name in PROCESSES:
                half = int(self.share >= 0.5)
                self.peaks[name][half] = max(self.peaks[name][half], _resident_mib(self._home, name))


def _memory_row(name: str, peaks: list[float]) -> tuple[object, ...]:
    first, second = peaks
    return name, f"{first:.0f}", f"{second:.0f}", met(second / first - 1, GROWTH, at_least=False)


def _pid(home: Path, name: str) -> int:
    return int((home / "run" / f"{name}.pid").read_text())


def _resident_mib(home: Path, name: str) -> float:
    """Of a process and its children; 0 while it is away."""
    try:
        pid = _pid(home, name)
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return sum(_of(each) for each in (pid, *children))
    except (OSError, ValueError):
        return 0.0


def _of(pid: int | str) -> float:
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024
