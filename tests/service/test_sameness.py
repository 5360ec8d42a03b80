"""What makes two questions the same, and what a client sees of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from explainery.contract.catalogue import MethodSpec
from explainery.contract.job import Baseline, CheckOrder, JobSpec, ModelRef
from service.sameness import content_of
from service.tenant import HEADER

METHOD = MethodSpec(name="saliency", title="", summary="", asks=("gradients",), completeness=False, reference="")
ARRAYS = {"input/x": np.arange(4.0).reshape(1, 4)}


def spec(**changes: Any) -> JobSpec:
    fields = {
        "id": "0" * 26, "model": ModelRef(name="m", version="1", digest="sha256:a"), "method": "saliency",
        "method_requested": "saliency", "params": {"samples": 8}, "rows": 1, "target": (0,), "baseline": Baseline(kind="zeros"),
        "seed": 0, "tenant": "a",
    }  # fmt: skip
    return JobSpec(**{**fields, **changes})


SAME = content_of(spec(), ARRAYS, METHOD, "tenant")


def test_who_submits_it_when_and_why_does_not_matter():
    other = spec(id="1" * 26, decision_id="d", deadline_s=5.0, priority="batch", method_requested="auto", request_id="r")
    assert content_of(other, ARRAYS, METHOD, "tenant") == SAME


@pytest.mark.parametrize(
    "change",
    [
        {"model": ModelRef(name="m", version="1", digest="sha256:b")},
        {"params": {"samples": 9}},
        {"target": (1,)},
        {"baseline": Baseline(kind="value", value=0.0)},
        {"seed": 1},
        {"quality": (CheckOrder(check="deletion", params={}),)},
        {"tenant": "b"},
    ],
)
def test_everything_the_answer_depends_on_does(change: dict[str, Any]):
    assert content_of(spec(**change), ARRAYS, METHOD, "tenant") != SAME


@pytest.mark.parametrize(
    "arrays",
    [{"input/x": np.zeros((1, 4))}, {"input/y": ARRAYS["input/x"]}, {"input/x": ARRAYS["input/x"].astype(np.float32)}],
)
def test_so_do_the_inputs(arrays: dict[str, Any]):
    assert content_of(spec(), arrays, METHOD, "tenant") != SAME


def test_tenants_share_only_where_the_operator_says_so():
    assert content_of(spec(), ARRAYS, METHOD, "all") == content_of(spec(tenant="b"), ARRAYS, METHOD, "all")
    assert content_of(spec(), ARRAYS, METHOD, "off") is None


def post(client: FlaskClient, body: dict[str, Any], **headers: str) -> Any:
    return client.post("/v1/explanations", json=body, headers=headers)


def test_the_same_question_is_computed_once(client: FlaskClient, worker: Any, loan: dict[str, Any]):
    first = post(client, loan).json
    second = post(client, loan).json
    assert (second["dedupe_of"], second["status"]) == (first["id"], "queued")
    worker.succeed(worker.take())
    assert worker.redis.zcard("{explainery}:state:queued") == 0
    third = post(client, loan).json
    assert (third["dedupe_of"], third["status"], third["attempts"]) == (first["id"], "succeeded", 0)
    results = [client.get(job["links"]["result"]).json for job in (first, second, third)]
    assert [result["id"] for result in results] == [first["id"], second["id"], third["id"]]
    assert results[0]["explanations"] == results[1]["explanations"] == results[2]["explanations"]


def test_another_tenant_and_a_fresh_run_are_computed_anew(client: FlaskClient, worker: Any, loan: dict[str, Any]):
    post(client, loan)
    other = post(client, loan, **{HEADER: "other"}).json
    fresh = post(client, {**loan, "fresh": True}).json
    assert (other["dedupe_of"], other["tenant"], fresh["dedupe_of"]) == (None, "other", None)
    assert [worker.take() and 1 for _ in range(3)] == [1, 1, 1]


def test_a_tenant_that_is_no_name_is_refused(client: FlaskClient, loan: dict[str, Any]):
    answer = post(client, loan, **{HEADER: "no name!"})
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_request")
    assert "no name" not in answer.text
