"""What tests and benchmarks of batches share: lines, and looking at a service whose parts are killed meanwhile."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx

ENDED = ("completed", "failed", "expired", "cancelled")


def line(name: str, rows: list[list[float]], model: str = "linear", **body: Any) -> dict[str, Any]:
    """One line of input."""
    asked = {"model": model, "method": "exact_shapley", "target": None, "baseline": "zeros", "instances": rows, **body}
    return {"custom_id": name, "method": "POST", "url": "/v1/explanations", "body": asked}


def jsonl(lines: Iterable[dict[str, Any]]) -> bytes:
    """Lines as a file."""
    return b"".join(json.dumps(each).encode() + b"\n" for each in lines)


def patiently(ask: Callable[[], httpx.Response], within_s: float = 60.0) -> httpx.Response:
    """Ask until somebody answers: the API may be away, or Redis behind it."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            answer = ask()
        except httpx.TransportError:
            pass
        else:
            if answer.status_code != 503:
                return answer
        assert time.monotonic() < deadline, "nobody answered in time"
        time.sleep(0.05)


def ended_under_kills(
    http: httpx.Client, batch: str, kills: list[tuple[int, Callable[[], object]]], within_s: float
) -> dict[str, Any]:
    """Watch a batch to its end; each kill happens once so many lines are done. The batch, when every kill has happened."""
    waiting = sorted(kills, key=lambda kill: kill[0])
    deadline = time.monotonic() + within_s
    while True:
        found = patiently(lambda: http.get(f"/v1/batches/{batch}")).json()
        counts = found["request_counts"]
        if waiting and counts["completed"] + counts["failed"] >= waiting[0][0] and found["status"] not in ENDED:
            waiting.pop(0)[1]()
        if found["status"] in ENDED:
            assert not waiting, "the batch ended before everything was killed"
            return dict(found)
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def names_in(http: httpx.Client, file: str | None, folder: Path) -> Counter[str]:
    """How often each `custom_id` stands in a file, which is fetched to a folder and never held whole."""
    names: Counter[str] = Counter()
    if file is None:
        return names
    with (folder / file).open("wb") as out, http.stream("GET", f"/v1/files/{file}/content") as answer:
        for block in answer.iter_bytes():
            out.write(block)
    with (folder / file).open("rb") as found:
        for text in found:
            names[json.loads(text)["custom_id"]] += 1
    return names
