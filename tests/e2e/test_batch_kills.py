"""A batch whose API, worker, coordinator and Redis are killed on the way: every line is answered, and once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import repos
from batching import ended_under_kills, jsonl, line, names_in
from stacks import Stack

LINES = 2400
WEIGHTS = np.array([1.0, 2.0, 3.0])


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Short leases: what is waited for is the mechanism. Small chunks, so that the kills fall between many of them."""
    running = Stack(
        tmp_path,
        EXPLAINERY_LEASE_S="1.5",
        EXPLAINERY_CHUNK_LINES="80",
        EXPLAINERY_TRIALS="0",
        EXPLAINERY_MAX_BODY_BYTES="100000",
    )
    repos.add_stub(running.models, "brisk", 3, weights=WEIGHTS.tolist(), delay_s=0.0002)
    running.start()
    yield running
    assert running.stop() == 0


@pytest.mark.timeout(180)
def test_every_line_is_answered_once_although_everything_is_killed(stack: Stack, tmp_path: Path):
    rows = np.random.default_rng(3).normal(size=(LINES, 3)).round(3)
    bad = set(range(5, LINES, 397))
    lines = [line(f"r{n}", [row.tolist()[: 2 if n in bad else 3]], "brisk") for n, row in enumerate(rows)]
    file = stack.http.post("/v1/files", files={"file": ("rows.jsonl", jsonl(lines))}, data={"purpose": "batch"}).json()
    asked = {"input_file_id": file["id"], "endpoint": "/v1/explanations", "completion_window": "1h"}
    batch = stack.http.post("/v1/batches", json=asked).json()["id"]
    kills = [
        (done, lambda part=part: stack.kill(part))
        for done, part in ((300, "worker-1"), (700, "coordinator"), (1100, "service"), (1500, "redis"), (1900, "coordinator"))
    ]
    found = ended_under_kills(stack.http, batch, kills, within_s=120)
    assert found["status"] == "completed"
    assert found["request_counts"] == {"total": LINES, "completed": LINES - len(bad), "failed": len(bad)}
    answered = names_in(stack.http, found["output_file_id"], tmp_path)
    refused = names_in(stack.http, found["error_file_id"], tmp_path)
    assert set(refused) == {f"r{n}" for n in bad}
    assert answered + refused == {f"r{n}": 1 for n in range(LINES)}
    for text in (tmp_path / found["output_file_id"]).read_text().splitlines():
        said = json.loads(text)
        (explanation,) = said["response"]["body"]["explanations"]
        expected = rows[int(said["custom_id"][1:])] * WEIGHTS
        np.testing.assert_allclose(explanation["attributions"][0]["data"], expected, atol=1e-9)
    (group,) = stack.http.get(f"/v1/batches/{batch}/summary").json()["groups"]
    assert group["rows"] == LINES - len(bad)
    good = np.delete(rows, sorted(bad), axis=0) * WEIGHTS
    np.testing.assert_allclose([each["mean"] for each in group["features"]], good.mean(axis=0), rtol=1e-9)
    assert stack.http.get("/v1/explanations").json()["jobs"] == []  # what it took is not left behind
