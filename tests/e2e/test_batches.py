"""Batches against a whole service: every line answered once, whoever is killed on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stacks import Stack, until

METHOD = "exact_shapley"
WEIGHTS = np.array([1.0, 2.0, 3.0])
ENDED = ("completed", "failed", "expired", "cancelled")


def line(name: str, row: list[float], model: str = "linear", **body: Any) -> dict[str, Any]:
    asked = {"model": model, "method": METHOD, "target": None, "baseline": "zeros", "instances": [row], **body}
    return {"custom_id": name, "method": "POST", "url": "/v1/explanations", "body": asked}


def jsonl(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in lines)


def upload(stack: Stack, content: bytes, name: str = "rows.jsonl", **more: str) -> dict[str, Any]:
    answer = stack.http.post("/v1/files", files={"file": (name, content)}, data={"purpose": "batch", **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def hand_in(stack: Stack, file: str, **more: Any) -> str:
    body = {"input_file_id": file, "endpoint": "/v1/explanations", "completion_window": "24h", **more}
    answer = stack.http.post("/v1/batches", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def ended(stack: Stack, batch: str, within_s: float = 60) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = stack.http.get(f"/v1/batches/{batch}").json()
        return found if found["status"] in ENDED else None

    return until(look, within_s)


def content(stack: Stack, file: str | None) -> list[dict[str, Any]]:
    if file is None:
        return []
    answer = stack.http.get(f"/v1/files/{file}/content")
    assert answer.status_code == 200, answer.text
    assert len(answer.content) == stack.http.get(f"/v1/files/{file}").json()["bytes"]
    return [json.loads(each) for each in answer.content.splitlines()]


def test_every_line_is_answered_by_its_name(stack: Stack):
    rows = np.random.default_rng(0).normal(size=(50, 3)).round(3)
    lines = [line(f"r{number}", row.tolist()) for number, row in enumerate(rows)]
    lines[7]["body"]["instances"] = [[1.0, 2.0]]  # refused, and takes none with it
    lines[9]["body"]["model"] = "unknown"
    lines.append(line("two rows", rows[0].tolist(), instances=rows[:2].tolist(), seed=3))
    lines.append(line("alone", rows[4].tolist(), target=[None]))
    file = upload(stack, jsonl(lines))
    assert (file["object"], file["purpose"], file["filename"]) == ("file", "batch", "rows.jsonl")
    batch = ended(stack, hand_in(stack, file["id"], metadata={"night": "1"}))
    assert batch["status"] == "completed"
    assert batch["request_counts"] == {"total": 52, "completed": 50, "failed": 2}
    assert batch["metadata"] == {"night": "1"}
    assert batch["in_progress_at"] <= batch["finalizing_at"] <= batch["completed_at"]
    good, bad = content(stack, batch["output_file_id"]), content(stack, batch["error_file_id"])
    assert {each["custom_id"] for each in bad} == {"r7", "r9"}
    assert all(each["response"]["status_code"] == 422 and each["error"] is None for each in bad)
    assert {each["response"]["body"]["code"] for each in bad} == {"invalid_input", "unknown_model"}
    assert sorted(each["custom_id"] for each in [*good, *bad]) == sorted(each["custom_id"] for each in lines)
    for each in good:
        body, response = each["response"]["body"], each["response"]
        assert (response["status_code"], each["error"], body["method"]) == (200, None, METHOD)
        named = {"two rows": rows[:2], "alone": rows[[4]]}
        asked = named[each["custom_id"]] if each["custom_id"] in named else rows[[int(each["custom_id"][1:])]]
        said = [explanation["attributions"][0]["data"] for explanation in body["explanations"]]
        np.testing.assert_allclose(said, asked * WEIGHTS, atol=1e-9)


def test_a_line_is_answered_as_its_own_request_would_be(stack: Stack):
    row = [0.5, -1.0, 2.0]
    lines = [line("a", row, method="kernel_shap", seed=5), line("b", [9.0, 9.0, 9.0], method="kernel_shap", seed=5)]
    batch = ended(stack, hand_in(stack, upload(stack, jsonl(lines))["id"]))
    native = stack.result(stack.submit("linear", "kernel_shap", [row], target=None, baseline="zeros", seed=5))
    (said,) = [each["response"]["body"] for each in content(stack, batch["output_file_id"]) if each["custom_id"] == "a"]
    assert said["job_rows"] == 2
    assert said["explanations"] == native["explanations"]
    assert set(native) < set(said)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_is_explained_row_by_row(stack: Stack, form: str, tmp_path: Path):
    rows = np.random.default_rng(1).normal(size=(30, 4)).round(3)
    names = ["age", "sex_f", "sex_m", "income"]
    if form == "csv":
        text = "income,custom_id,age,sex_f,sex_m\n"
        text += "".join(f'{row[3]},"id {number}",{row[0]},{row[1]},{row[2]}\r\n' for number, row in enumerate(rows))
        table = text.encode()
    else:
        arrow = pytest.importorskip("pyarrow")
        columns = {name: rows[:, place] for place, name in enumerate(names)}
        columns["custom_id"] = [f"id {number}" for number in range(30)]
        pytest.importorskip("pyarrow.parquet").write_table(arrow.table(columns), tmp_path / "t.parquet", row_group_size=7)
        table = (tmp_path / "t.parquet").read_bytes()
    file = upload(stack, table, f"t.{form}")
    request = {"model": "table", "method": METHOD, "target": None, "baseline": "zeros"}
    batch = ended(stack, hand_in(stack, file["id"], request=request))
    assert batch["request_counts"] == {"total": 30, "completed": 30, "failed": 0}
    said = {each["custom_id"]: each["response"]["body"] for each in content(stack, batch["output_file_id"])}
    native = stack.result(stack.submit(rows=[row.tolist() for row in rows], **request))
    for number, explanation in enumerate(native["explanations"]):
        assert said[f"id {number}"]["explanations"] == [explanation]
