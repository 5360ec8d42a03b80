"""The main job over HTTP, by a worker moved by hand."""

from __future__ import annotations

import threading
from typing import Any

from flask.testing import FlaskClient


def submit(client: FlaskClient, body: dict[str, Any], **headers: str) -> Any:
    return client.post("/v1/explanations", json=body, headers=headers)


def test_a_submitted_job_is_accepted_and_can_be_looked_at(client: FlaskClient, loan: dict[str, Any]) -> None:
    answer = submit(client, loan)
    job = answer.json
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/v1/explanations/{job['id']}" == job["links"]["self"]
    assert int(answer.headers["Retry-After"]) >= 1
    assert job["status"] == "queued"
    assert job["model"] == {"name": "loan", "version": "2", "digest": f"sha256:{2:064x}"}
    assert (job["method"], job["rows"], job["seed"], job["decision_id"]) == ("kernel_shap", 2, 7, "loan-1")
    assert set(job) >= {"progress", "created_at", "started_at", "finished_at", "attempts", "error", "deadline_at", "priority"}
    assert set(job["links"]) == {"self", "result", "cancel", "events", "partial"}
    again = client.get(job["links"]["self"])
    assert (again.status_code, again.json) == (200, job)


def test_a_job_runs_to_its_result(client: FlaskClient, worker: Any, loan: dict[str, Any]) -> None:
    job = submit(client, loan).json
    early = client.get(job["links"]["result"])
    assert (early.status_code, early.json["code"], early.json["state"]) == (409, "job_not_finished", "queued")
    claim = worker.take()
    assert client.get(job["links"]["self"]).json["status"] == "running"
    assert worker.succeed(claim)
    ended = client.get(job["links"]["self"])
    assert ended.json["status"] == "succeeded"
    assert "Retry-After" not in ended.headers
    result = client.get(job["links"]["result"]).json
    assert result["params"] == {"samples": 2048, "tolerance": 0.01, "features": None}
    assert [row["attributions"][0]["data"] for row in result["explanations"]] == [[1, 2, 0, 3], [4, 5, 1, 6]]


def test_a_wait_that_is_met_answers_200_and_one_that_is_not_202(
    client: FlaskClient, serving: Any, loan: dict[str, Any]
) -> None:
    met = submit(client, loan, Prefer="respond-async, wait=20")
    assert (met.status_code, met.json["status"]) == (200, "succeeded")
    assert met.headers["Preference-Applied"] == "respond-async, wait=20"
    assert met.headers["Location"] == met.json["links"]["self"]


def test_a_wait_that_is_not_met_answers_202(client: FlaskClient, loan: dict[str, Any]) -> None:
    answer = submit(client, loan, Prefer="wait=0.05")
    assert (answer.status_code, answer.json["status"]) == (202, "queued")


def test_a_long_poll_ends_with_the_change(client: FlaskClient, worker: Any, loan: dict[str, Any]) -> None:
    first = submit(client, loan)
    known = {"If-None-Match": first.headers["ETag"]}
    url = first.json["links"]["self"]
    assert client.get(url, headers=known).status_code == 304
    assert client.get(url, headers={**known, "Prefer": "wait=0.05"}).status_code == 304
    timer = threading.Timer(0.1, worker.take)
    timer.start()
    changed = client.get(url, headers={**known, "Prefer": "wait=20"})
    timer.join()
    assert (changed.status_code, changed.json["status"]) == (200, "running")
    assert changed.headers["ETag"] != first.headers["ETag"]


def test_cancel_then_409(client: FlaskClient, loan: dict[str, Any]) -> None:
    job = submit(client, loan).json
    canceled = client.post(job["links"]["cancel"])
    assert (canceled.status_code, canceled.json["status"]) == (200, "canceled")
    again = client.post(job["links"]["cancel"])
    assert (again.status_code, again.json["code"], again.json["state"]) == (409, "job_ended", "canceled")
    result = client.get(job["links"]["result"])
    assert (result.status_code, result.json["state"], result.json["job_error"]) == (409, "canceled", None)


def test_a_forgotten_job_answers_410_and_an_id_that_never_was_404(client: FlaskClient, loan: dict[str, Any]) -> None:
    job = submit(client, loan).json
    assert client.delete(job["links"]["self"]).status_code == 204
    for url in (job["links"]["self"], job["links"]["result"]):
        assert (client.get(url).status_code, client.get(url).json["code"]) == (410, "job_gone")
    for unknown in ("0" * 26, "nonsense", "ü" * 26):
        answer = client.get(f"/v1/explanations/{unknown}")
        assert (answer.status_code, answer.json["code"]) == (404, "job_not_found")


def test_a_failed_job_says_why_where_its_result_would_be(client: FlaskClient, worker: Any, loan: dict[str, Any]) -> None:
    job = submit(client, loan).json
    assert worker.fail(worker.take())
    assert client.get(job["links"]["self"]).json["error"]["code"] == "model_failed"
    result = client.get(job["links"]["result"])
    assert (result.status_code, result.json["state"]) == (409, "failed")
    assert result.json["job_error"] == {"code": "model_failed", "detail": "The model raised ValueError.", "retryable": False}


def test_jobs_are_listed_page_by_page(client: FlaskClient, loan: dict[str, Any]) -> None:
    ids = [submit(client, {**loan, "decision_id": f"d{number % 2}"}).json["id"] for number in range(5)]
    page = client.get("/v1/explanations?limit=3").json
    assert [job["id"] for job in page["jobs"]] == ids[:1:-1]
    rest = client.get("/v1/explanations", query_string={"limit": 3, "cursor": page["cursor"]}).json
    assert ([job["id"] for job in rest["jobs"]], rest["cursor"]) == (ids[1::-1], None)
    of_one = client.get("/v1/explanations?decision_id=d1&status=queued&model=loan").json
    assert [job["id"] for job in of_one["jobs"]] == [ids[3], ids[1]]


def test_auto_says_what_it_chose_and_why(client: FlaskClient, loan: dict[str, Any]) -> None:
    job = submit(client, {**loan, "method": "auto"}).json
    assert (job["method"], job["method_requested"]) == ("exact_shapley", "auto")
    assert "16 coalitions" in job["method_reason"]


def test_a_bell_rings_for_a_group_that_begins_to_wait(client: FlaskClient, worker: Any, loan: dict[str, Any]) -> None:
    assert worker.redis.llen("explainery") == 0
    submit(client, loan)
    assert worker.redis.llen("explainery") == 1
