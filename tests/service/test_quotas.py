"""Quotas of a tenant: told in `RateLimit` fields, refused with 429, and no other tenant's."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from flask.testing import FlaskClient

from explainery.store.jobs import Advance, Limits

JOBS = "/v1/explanations"
QUOTA = "https://iana.org/assignments/http-problem-types#quota-exceeded"


def over(answer: Any, quota: str) -> None:
    assert (answer.status_code, answer.json["code"], answer.json["type"]) == (429, "quota_exceeded", QUOTA)
    assert answer.json["violated-policies"] == [quota]
    assert (answer.content_type, answer.json["retryable"]) == ("application/problem+json", True)
    assert int(answer.headers["Retry-After"]) >= 1


def fields(answer: Any, name: str) -> dict[str, dict[str, str]]:
    """A list of strings with parameters, by string."""
    items = [item.strip().split(";") for item in answer.headers[name].split(",")]
    return {head.strip('"'): dict(pair.split("=") for pair in pairs) for head, *pairs in items}


def submit(client: FlaskClient, loan: dict[str, Any], seed: int = 7, **headers: str) -> Any:
    return client.post(JOBS, json=loan | {"seed": seed}, headers=headers)


def test_nothing_is_told_where_nothing_is_bounded(guarded: Any) -> None:
    answer = guarded.client("one").get(JOBS)
    assert (answer.status_code, "RateLimit" in answer.headers, "RateLimit-Policy" in answer.headers) == (200, False, False)


def test_requests_are_counted_down_then_refused_and_come_back(guarded: Any, until: Any) -> None:
    guarded.tenants.set("one", requests=5)
    client = guarded.client("one")
    left = []
    for _ in range(5):
        answer = client.get(JOBS)
        assert fields(answer, "RateLimit-Policy") == {"requests": {"q": "5", "w": "60"}}
        left.append(int(fields(answer, "RateLimit")["requests"]["r"]))
    assert left == [4, 3, 2, 1, 0]
    answer = client.get(JOBS)
    over(answer, "requests")
    assert 0 < int(answer.headers["Retry-After"]) <= 12
    assert int(fields(answer, "RateLimit")["requests"]["t"]) <= int(answer.headers["Retry-After"])
    guarded.tenants.set("one", requests=600)  # a tenth of a second for each
    until(lambda: client.get(JOBS).status_code == 200)


def test_a_tenant_s_keys_share_its_quota_and_others_have_their_own(guarded: Any) -> None:
    guarded.tenants.set("one", requests=1)
    assert guarded.client("one").get(JOBS).status_code == 200
    over(guarded.client("one", "viewer").get(JOBS), "requests")
    assert guarded.client("two").get(JOBS).status_code == 200


def test_of_many_requests_at_once_exactly_as_many_pass_as_may(guarded: Any) -> None:
    guarded.tenants.set("one", requests=10)
    client, told = guarded.client("one"), []
    shown = {"Authorization": client.environ_base["HTTP_AUTHORIZATION"]}

    def ask() -> None:
        told.append(guarded.app.test_client().get(JOBS, headers=shown).status_code)

    threads = [threading.Thread(target=ask) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [200] * 10 + [429] * 20


def test_what_nobody_is_asked_for_costs_no_request(guarded: Any) -> None:
    guarded.tenants.set("one", requests=1)
    client = guarded.client("one")
    assert [client.get("/healthz").status_code for _ in range(3)] == [200] * 3
    assert client.get(JOBS).status_code == 200


def test_open_jobs_are_bounded(guarded: Any, worker: Any, loan: dict[str, Any]) -> None:
    guarded.tenants.set("one", jobs=2)
    client = guarded.client("one")
    first = submit(client, loan, 1).json
    assert submit(client, loan, 2, **{"Idempotency-Key": '"k"'}).status_code == 202
    over(submit(client, loan, 3), "jobs")
    assert fields(client.get(JOBS), "RateLimit") == {"jobs": {"r": "0"}}
    assert submit(client, loan, 2, **{"Idempotency-Key": '"k"'}).status_code == 202, "a repeated request is no other job"
    assert submit(guarded.client("two"), loan, 3).status_code == 202
    assert client.post(first["links"]["cancel"]).status_code == 200
    assert submit(client, loan, 3).status_code == 202
    for _ in range(3):
        worker.fail(worker.take())
    assert fields(client.get(JOBS), "RateLimit")["jobs"]["r"] == "2"


def test_a_comparison_enters_as_a_whole_or_not_at_all(guarded: Any, loan: dict[str, Any]) -> None:
    guarded.tenants.set("one", jobs=1)
    client = guarded.client("one")
    variants = [{"method": "exact_shapley"}, {"method": "kernel_shap"}]
    over(client.post("/v1/comparisons", json=loan | {"variants": variants}), "jobs")
    assert client.get(JOBS).json["jobs"] == []
    assert fields(client.get(JOBS), "RateLimit")["jobs"]["r"] == "1"


def test_stored_bytes_are_bounded_and_free_again_when_a_job_is_deleted(guarded: Any, worker: Any, loan: dict[str, Any]) -> None:
    client = guarded.client("one")
    job = submit(client, loan).json
    worker.succeed(worker.take())
    guarded.tenants.set("one", bytes=10**6)
    left = int(fields(client.get(JOBS), "RateLimit")["bytes"]["r"])
    held = 10**6 - left
    assert held > 500, "inputs and result"
    guarded.tenants.set("one", bytes=held + 10)
    over(submit(client, loan, 8), "bytes")
    assert client.delete(job["links"]["self"]).status_code == 204
    assert fields(client.get(JOBS), "RateLimit")["bytes"]["r"] == str(held + 10)
    assert submit(client, loan, 8).status_code == 202


def test_an_answer_that_jobs_share_counts_once_and_until_the_last_is_deleted(
    guarded: Any, worker: Any, loan: dict[str, Any]
) -> None:
    client = guarded.client("one")
    guarded.tenants.set("one", bytes=10**6)

    def held() -> int:
        return 10**6 - int(fields(client.get(JOBS), "RateLimit")["bytes"]["r"])

    first = submit(client, loan).json
    worker.succeed(worker.take())
    alone = held()
    others = [submit(client, loan).json for _ in range(2)]
    assert [each["dedupe_of"] for each in others] == [first["id"]] * 2
    assert held() == alone > 0
    for job in (first, others[0]):
        client.delete(job["links"]["self"])
        assert held() == alone
    client.delete(others[1]["links"]["self"])
    assert held() == 0


def test_backgrounds_count_as_stored(guarded: Any) -> None:
    guarded.tenants.set("one", bytes=300)
    client = guarded.client("one")
    rows = {"model": "loan", "rows": [[1.0, 2.0, 0.0, 3.0]]}
    assert client.post("/v1/backgrounds", json=rows).status_code == 201
    assert client.post("/v1/backgrounds", json=rows).status_code == 201, "the same once more is nothing more"
    over(client.post("/v1/backgrounds", json={"model": "loan", "rows": [[float(i), 2.0, 0.0, 3.0] for i in range(9)]}), "bytes")


def test_compute_is_bounded_by_the_day(guarded: Any, worker: Any, loan: dict[str, Any]) -> None:
    guarded.tenants.set("one", compute_s=3)
    client = guarded.client("one")
    assert submit(client, loan, 1).status_code == 202, "4.1 s are estimated, and nothing is spent yet"
    over(submit(client, loan, 2), "compute")
    (claim,) = worker.jobs.claim("worker-hand", Limits(1, 9)).claims
    done = Advance(claim.spec.id, claim.fence, 1, 1, "model_evaluations")
    assert worker.jobs.succeed("worker-hand", claim.spec.id, claim.fence, b"result", done, 1.5)
    answer = submit(client, loan, 3)
    assert answer.status_code == 202
    answer = client.get(JOBS)
    assert fields(answer, "RateLimit-Policy")["compute"] == {"q": "3", "qu": '"seconds"', "w": "86400"}
    assert 0 < int(fields(answer, "RateLimit")["compute"]["t"]) <= 86400
    worker.fail(worker.take())
    guarded.tenants.set("one", compute_s=1)
    refused = submit(client, loan, 4)
    over(refused, "compute")
    assert int(refused.headers["Retry-After"]) <= 86400


def test_settings_bound_tenants_that_have_no_numbers_of_their_own(guarded: Any) -> None:
    app = guarded.serve(tenant_requests=2)
    client = guarded.client("one", app=app)
    assert [client.get(JOBS).status_code for _ in range(3)] == [200, 200, 429]
    guarded.tenants.set("two", requests=0)
    other = guarded.client("two", app=app)
    assert [other.get(JOBS).status_code for _ in range(3)] == [200] * 3


@pytest.mark.parametrize("auth", ["off"])
def test_where_nobody_is_asked_nothing_is_counted(guarded: Any, auth: str) -> None:
    client = guarded.serve(auth=auth, tenant_requests=1, tenant_jobs=1).test_client()
    assert [client.get(JOBS).status_code for _ in range(3)] == [200] * 3


def test_queue_full_has_the_type_of_reduced_capacity(guarded: Any, loan: dict[str, Any]) -> None:
    client = guarded.client("one", app=guarded.serve(max_waiting=1))
    submit(client, loan, 1)
    answer = submit(client, loan, 2)
    assert (answer.status_code, answer.json["code"]) == (503, "queue_full")
    assert answer.json["type"] == "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
