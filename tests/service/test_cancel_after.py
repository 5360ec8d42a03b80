"""The Cancel-After header."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from explainery.contract.errors import RequestRefused
from service.cancel_after import read_cancel_after


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("30", 30), ("90s", 90), ("0.5", 0.5), ("5m", 300), ("1h", 3600), ("1h30m45s", 5445), (" 1H ", 3600)],
)
def test_it_is_seconds_or_a_time_with_units(header: str | None, seconds: float | None):
    assert read_cancel_after(header) == seconds


@pytest.mark.parametrize("header", ["", "0", "-1", "soon", "1d", "1e9", "nan", "5m5h", "99999h", "1 h"])
def test_what_is_no_time_is_refused(header: str):
    with pytest.raises(RequestRefused, match="Cancel-After must be"):
        read_cancel_after(header)


def test_the_job_is_canceled_though_no_worker_lives(client: FlaskClient, worker: Any, loan: dict[str, Any]):
    job = client.post("/v1/explanations", json=loan, headers={"Cancel-After": "0.05", "Prefer": "wait=10"})
    assert (job.status_code, job.json["status"], job.json["error"]["code"]) == (200, "canceled", "cancel_after_passed")
    assert job.json["cancel_at"] <= job.json["finished_at"]


def test_protocols_that_wait_say_so(client: FlaskClient, worker: Any):
    body = {"instances": [[1.0, 1.0, 0.0, 3.0]], "parameters": {"method": "kernel_shap"}}
    answer = client.post("/v1/models/loan:explain", json=body, headers={"Cancel-After": "0.05"})
    assert (answer.status_code, answer.json["code"], answer.json["state"]) == (409, "job_not_succeeded", "canceled")
