"""Comparisons over HTTP: a group of ordinary jobs that enter all or none, and what is told of their answers."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from flask.testing import FlaskClient

from service.app import create_app

ROWS = [[1.0, 2.0, 0.0, 3.0], [4.0, 5.0, 1.0, 6.0]]
WAYS = [{"method": "kernel_shap", "params": {"samples": 10}}, {"method": "exact_shapley", "label": "exact"}]


def submit(client: FlaskClient, variants: list[dict[str, Any]] = WAYS, **more: Any) -> Any:
    return client.post("/v1/comparisons", json={"model": "loan", "instances": ROWS, "variants": variants, **more})


def answer_all(worker: Any, jobs: int) -> None:
    for _ in range(jobs):
        assert worker.succeed(worker.take())


def test_each_variant_is_a_job(client: FlaskClient, worker: Any) -> None:
    answer = submit(client, seed=3)
    made = answer.json
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/v1/comparisons/{made['id']}")
    assert [(each["label"], each["job"]["method"], each["job"]["seed"]) for each in made["variants"]] == [
        ("kernel_shap", "kernel_shap", 3),
        ("exact", "exact_shapley", 3),
    ]
    assert made["status"] == "queued"
    for each in made["variants"]:
        assert client.get(each["job"]["links"]["self"]).status_code == 200
    assert worker.take().spec.params["samples"] == 10
    assert worker.take().spec.params == {"features": None}


def test_when_all_have_ended_there_is_a_result(client: FlaskClient, worker: Any) -> None:
    made = submit(client, top=2).json
    early = client.get(made["links"]["result"])
    assert (early.status_code, early.json["code"], early.json["state"]) == (409, "job_not_finished", "queued")
    answer_all(worker, 2)
    assert client.get(made["links"]["self"]).json["status"] == "succeeded"
    told = client.get(made["links"]["result"]).json
    (pair,) = told["pairs"]
    assert pair["mean"] == {"rank_correlation": pytest.approx(1.0), "top_overlap": 1.0, "sign_agreement": 1.0}
    assert (pair["variants"], len(pair["rows"]), pair["worst"]) == ([0, 1], 2, [])
    assert [each["verdicts"] for each in told["variants"]] == [{"pass": 2, "warn": 0, "fail": 0}] * 2
    assert told["variants"][1]["label"] == "exact"


def test_models_and_baselines_may_vary_too(client: FlaskClient) -> None:
    made = submit(client, [{"model": "loan@1"}, {"baseline": "mean"}], method="exact_shapley").json
    assert [each["label"] for each in made["variants"]] == ["loan@1", "mean"]
    assert [each["job"]["model"]["version"] for each in made["variants"]] == ["1", "2"]


@pytest.mark.parametrize(
    ("variants", "code", "loc"),
    [
        ([{}], "invalid_request", "variants"),
        ([{}] * 9, "invalid_request", "variants"),
        ([{"method": "kernel_shap"}, {"method": "nothing"}], "unknown_method", "variants.1.method"),
        ([{"method": "kernel_shap"}, {"method": "report"}], "invalid_request", "variants.1.method"),
        ([{"colour": 1}, {}], "invalid_request", "variants.0.colour"),
    ],
)
def test_one_bad_variant_and_nothing_enters(
    client: FlaskClient, job_keys: Any, variants: list[dict[str, Any]], code: str, loc: str
) -> None:
    answer = submit(client, variants)
    assert (answer.status_code, answer.json["code"], answer.json["errors"][0]["loc"]) == (422, code, loc)
    assert job_keys() == []


def test_a_full_queue_takes_all_or_none(settings: Any, worker: Any) -> None:
    app = create_app(dataclasses.replace(settings, max_waiting=1))
    answer = submit(app.test_client())
    left = app.extensions["explainery"].jobs.waiting()
    app.extensions["explainery"].watcher.close()
    assert (answer.status_code, answer.json["code"], left) == (503, "queue_full", 0)


def test_cancel_ends_what_has_not_ended(client: FlaskClient, worker: Any) -> None:
    made = submit(client).json
    answer_all(worker, 1)
    canceled = client.post(made["links"]["cancel"])
    assert (canceled.status_code, canceled.json["status"]) == (200, "canceled")
    assert sorted(each["job"]["status"] for each in canceled.json["variants"]) == ["canceled", "succeeded"]
    again = client.post(made["links"]["cancel"])
    assert (again.status_code, again.json["code"]) == (409, "job_ended")


def test_a_failed_job_leaves_no_result(client: FlaskClient, worker: Any) -> None:
    made = submit(client).json
    worker.fail(worker.take())
    answer_all(worker, 1)
    assert client.get(made["links"]["self"]).json["status"] == "failed"
    assert client.get(made["links"]["result"]).json["state"] == "failed"


def test_delete_forgets_it_and_its_jobs(client: FlaskClient) -> None:
    made = submit(client).json
    assert client.delete(made["links"]["self"]).status_code == 204
    for path in (made["links"]["self"], made["links"]["result"]):
        assert (client.get(path).status_code, client.get(path).json["code"]) == (410, "comparison_gone")
    for each in made["variants"]:
        assert client.get(each["job"]["links"]["self"]).status_code == 410


def test_it_lives_as_long_as_its_jobs(client: FlaskClient) -> None:
    made = submit(client).json
    client.delete(made["variants"][0]["job"]["links"]["self"])
    assert client.get(made["links"]["self"]).json["code"] == "comparison_gone"


@pytest.mark.parametrize("unknown", ["0" * 26, "nothing"])
def test_what_never_was(client: FlaskClient, unknown: str) -> None:
    assert client.get(f"/v1/comparisons/{unknown}").json["code"] == "comparison_not_found"


def test_a_wait_is_held(client: FlaskClient, serving: Any) -> None:
    answer = client.post(
        "/v1/comparisons", json={"model": "loan", "instances": ROWS, "variants": WAYS}, headers={"Prefer": "wait=20"}
    )
    assert (answer.status_code, answer.json["status"]) == (200, "succeeded")
