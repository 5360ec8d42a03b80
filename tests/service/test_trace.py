"""Request ids and log lines."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from flask.testing import FlaskClient


def test_a_sane_request_id_is_kept_and_another_is_replaced(client: FlaskClient) -> None:
    assert client.get("/healthz", headers={"X-Request-Id": "abc-1.2_3"}).headers["X-Request-Id"] == "abc-1.2_3"
    for insane in ("a b", "x" * 65, 'a"b', "ü"):
        made = client.get("/healthz", headers={"X-Request-Id": insane}).headers["X-Request-Id"]
        assert made != insane
        assert made.isalnum()


def test_a_line_has_ids_route_status_and_time_but_no_value(
    client: FlaskClient, worker: Any, loan: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    loan["inputs"][0]["data"][0] = 271828182
    loan["decision_id"] = "canary-7c1f"
    job = client.post("/v1/explanations", json=loan, headers={"X-Request-Id": "mine"}).json
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "explainery.service"]
    assert len(lines) == 1
    line = lines[0]
    assert (line["request_id"], line["job_id"], line["route"], line["status"]) == ("mine", job["id"], "/v1/explanations", 202)
    assert line["ms"] > 0
    assert "canary-7c1f" not in caplog.text
    assert "271828182" not in caplog.text
    assert worker.take().spec.request_id == "mine"
