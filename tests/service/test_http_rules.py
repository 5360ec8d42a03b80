"""The rules of HTTP that the wire promises, one test each, by status. What is behind each rule has suites of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from explainery.settings import Settings
from service.app import create_app
from service.tenant import HEADER as TENANT

JOBS = "/v1/explanations"
NEVER = f"{JOBS}/{'0' * 26}"
KEY = {"Idempotency-Key": '"one"'}


def submit(client: FlaskClient, loan: dict[str, Any], **headers: str) -> Any:
    return client.post(JOBS, json=loan, headers=headers)


def problem(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.json["code"], answer.json["status"]) == (status, code, status)
    assert answer.content_type == "application/problem+json"
    assert answer.json["error"] == answer.json["detail"]


@pytest.fixture
def with_settings(settings: Settings, worker: Any) -> Iterator[Any]:
    """Make an API with other settings."""
    made: list[Flask] = []

    def make(**changes: Any) -> FlaskClient:
        made.append(create_app(dataclasses.replace(settings, **changes)))
        return made[-1].test_client()

    yield make
    for app in made:
        app.extensions["explainery"].watcher.close()
        app.extensions["explainery"].hub.close()


# --- good answers


def test_202_with_location_and_retry_after_for_a_job_that_goes_on(client: FlaskClient, loan: dict[str, Any]):
    answer = submit(client, loan)
    assert answer.status_code == 202
    assert client.get(answer.headers["Location"]).json["id"] == answer.json["id"]
    assert int(answer.headers["Retry-After"]) >= 1


def test_202_by_respond_async_says_that_it_was_applied(client: FlaskClient, loan: dict[str, Any]):
    answer = submit(client, loan, Prefer="respond-async")
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "respond-async")


def test_202_after_a_wait_that_was_too_short(client: FlaskClient, loan: dict[str, Any]):
    answer = submit(client, loan, Prefer="wait=0.05")
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "wait=0.05")


def test_200_by_wait_when_the_job_ended_in_time(client: FlaskClient, serving: Any, loan: dict[str, Any]):
    answer = submit(client, loan, Prefer="wait=20")
    assert (answer.status_code, answer.json["status"], answer.headers["Preference-Applied"]) == (200, "succeeded", "wait=20")


def test_a_wait_is_cut_to_the_limit_and_says_so(with_settings: Any, loan: dict[str, Any]):
    answer = submit(with_settings(max_wait_s=0.05), loan, Prefer="wait=600")
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "wait=0.05")


def test_an_unknown_preference_is_ignored(client: FlaskClient, loan: dict[str, Any]):
    answer = submit(client, loan, Prefer="handling=strict, wait=soon")
    assert (answer.status_code, "Preference-Applied" in answer.headers) == (202, False)


def test_vary_names_what_the_answer_depends_on(client: FlaskClient, serving: Any, loan: dict[str, Any]):
    job = submit(client, loan, Prefer="wait=20")
    assert job.headers["Vary"] == client.get(job.json["links"]["self"]).headers["Vary"] == "Prefer"
    assert client.get(job.json["links"]["result"]).headers["Vary"] == "Accept"


def test_304_by_etag_when_nothing_changed(client: FlaskClient, loan: dict[str, Any]):
    job = submit(client, loan)
    again = client.get(job.headers["Location"], headers={"If-None-Match": job.headers["ETag"]})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", job.headers["ETag"])


def test_304_after_a_wait_in_which_nothing_changed(client: FlaskClient, loan: dict[str, Any]):
    job = submit(client, loan)
    again = client.get(job.headers["Location"], headers={"If-None-Match": job.headers["ETag"], "Prefer": "wait=0.05"})
    assert (again.status_code, again.headers["Preference-Applied"], again.headers["Vary"]) == (304, "wait=0.05", "Prefer")


def test_200_by_etag_when_it_has_changed(client: FlaskClient, worker: Any, loan: dict[str, Any]):
    job = submit(client, loan)
    worker.take()
    again = client.get(job.headers["Location"], headers={"If-None-Match": job.headers["ETag"]})
    assert (again.status_code, again.json["status"]) == (200, "running")
    assert again.headers["ETag"] != job.headers["ETag"]


def test_204_for_what_was_deleted(client: FlaskClient, loan: dict[str, Any]):
    assert client.delete(submit(client, loan).headers["Location"]).status_code == 204


# --- the same request twice


def test_the_same_key_and_request_is_the_first_job(client: FlaskClient, loan: dict[str, Any]):
    first, again = submit(client, loan, **KEY), submit(client, loan, **KEY)
    assert (again.status_code, again.json["id"], again.headers["Idempotent-Replayed"]) == (202, first.json["id"], "true")


def test_422_for_the_same_key_and_another_request(client: FlaskClient, loan: dict[str, Any]):
    submit(client, loan, **KEY)
    problem(submit(client, {**loan, "seed": 99}, **KEY), 422, "idempotency_key_reused")


def test_another_tenants_key_is_its_own(client: FlaskClient, loan: dict[str, Any]):
    first = submit(client, loan, **KEY)
    other = submit(client, {**loan, "seed": 99}, **KEY, **{TENANT: "other"})
    assert (other.status_code, other.json["id"] == first.json["id"]) == (202, False)


def test_400_for_a_key_that_is_none(client: FlaskClient, loan: dict[str, Any]):
    problem(submit(client, loan, **{"Idempotency-Key": "a b"}), 400, "invalid_idempotency_key")


# In flight: test_idempotency.py, with twenty at once. There is no 409 for it: key and job come into being in one step.


# --- refusals


def test_400_for_a_body_that_is_no_json(client: FlaskClient):
    problem(client.post(JOBS, data=b"{", content_type="application/json"), 400, "malformed_body")


def test_404_for_an_id_that_never_was_410_for_one_that_was(client: FlaskClient, loan: dict[str, Any]):
    problem(client.get(NEVER), 404, "job_not_found")
    job = submit(client, loan)
    client.delete(job.headers["Location"])
    for path in ("", "/result", "/events"):
        problem(client.get(job.headers["Location"] + path), 410, "job_gone")


def test_404_for_a_path_that_leads_nowhere(client: FlaskClient):
    problem(client.get("/v1/nothing"), 404, "route_not_found")


def test_405_with_allow(client: FlaskClient):
    answer = client.patch(JOBS)
    problem(answer, 405, "method_not_allowed")
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


def test_406_for_what_cannot_be_given(client: FlaskClient, loan: dict[str, Any]):
    problem(submit(client, loan, Accept="text/csv"), 406, "not_acceptable")


def test_409_for_a_result_that_is_not_there_yet(client: FlaskClient, loan: dict[str, Any]):
    answer = client.get(submit(client, loan).json["links"]["result"])
    problem(answer, 409, "job_not_finished")
    assert answer.json["state"] == "queued"


def test_409_for_a_cancel_that_comes_too_late(client: FlaskClient, worker: Any, loan: dict[str, Any]):
    job = submit(client, loan).json
    worker.succeed(worker.take())
    problem(client.post(job["links"]["cancel"]), 409, "job_ended")


def test_413_says_the_limit(with_settings: Any, loan: dict[str, Any]):
    answer = submit(with_settings(max_body_bytes=100), loan)
    problem(answer, 413, "payload_too_large")
    assert (answer.json["limit"], answer.json["unit"]) == (100, "bytes")


def test_415_for_another_media_type(client: FlaskClient):
    problem(client.post(JOBS, data=b"a,b", content_type="text/csv"), 415, "unsupported_media_type")


def test_422_points_at_each_fault(client: FlaskClient, loan: dict[str, Any]):
    answer = submit(client, {**loan, "seed": -1, "speed": 3})
    problem(answer, 422, "invalid_request")
    assert {each["loc"] for each in answer.json["errors"]} == {"seed", "speed"}


def test_503_with_retry_after_when_the_queue_is_full(with_settings: Any, loan: dict[str, Any]):
    client = with_settings(max_waiting=1)
    submit(client, loan)
    answer = submit(client, {**loan, "seed": 99})
    problem(answer, 503, "queue_full")
    assert (int(answer.headers["Retry-After"]) >= 1, answer.json["retryable"]) == (True, True)


def test_503_with_retry_after_past_the_cap_on_streams(with_settings: Any):
    answer = with_settings(max_streams=0).get("/v1/events")
    problem(answer, 503, "too_many_streams")
    assert int(answer.headers["Retry-After"]) >= 1


def test_503_without_redis(client: FlaskClient, redis_server: Any):
    redis_server.kill()
    answer = client.get(NEVER)
    problem(answer, 503, "store_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1


def test_504_names_the_job_which_goes_on(with_settings: Any, worker: Any):
    client = with_settings(sync_limit_s=0.05)
    body = {"instances": [[1.0, 1.0, 0.0, 3.0]], "parameters": {"method": "kernel_shap"}}
    answer = client.post("/v1/models/loan:explain", json=body)
    problem(answer, 504, "sync_limit_reached")
    assert answer.headers["Location"] == answer.json["job"]
    assert client.get(answer.json["job"]).json["status"] == "queued"
