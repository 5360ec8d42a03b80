"""The Idempotency-Key: one request, one job, whatever the protocol and whoever asks at the same time."""

from __future__ import annotations

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from wire_v2 import array_in_bytes, in_json

from explainery.contract.errors import InvalidIdempotencyKey
from explainery.settings import Settings
from service.app import create_app
from service.idempotency import read_key
from service.tenant import HEADER as TENANT

KEY = {"Idempotency-Key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}


def post(client: FlaskClient, body: dict[str, Any], **headers: str) -> Any:
    return client.post("/v1/explanations", json=body, headers={**KEY, **headers})


def jobs(worker: Any) -> int:
    return int(worker.redis.zcard("{explainery}:jobs"))


def test_the_same_request_again_is_the_first_job(client: FlaskClient, worker: Any, loan: dict[str, Any]):
    first, again = post(client, {**loan, "fresh": True}), post(client, {**loan, "fresh": True})
    assert (first.status_code, again.status_code, again.json["id"]) == (202, 202, first.json["id"])
    assert ("Idempotent-Replayed" in first.headers, again.headers["Idempotent-Replayed"]) == (False, "true")
    assert again.headers["Location"] == first.headers["Location"]
    assert jobs(worker) == 1


def test_when_the_first_has_ended_it_is_200_and_that_job(client: FlaskClient, worker: Any, loan: dict[str, Any]):
    first = post(client, loan)
    worker.succeed(worker.take())
    again = post(client, loan)
    assert (again.status_code, again.json["id"], again.json["status"]) == (200, first.json["id"], "succeeded")


def test_a_failed_job_is_not_tried_again_under_its_key(client: FlaskClient, worker: Any, loan: dict[str, Any]):
    first = post(client, loan)
    worker.fail(worker.take())
    again = post(client, loan)
    assert (again.status_code, again.json["id"], again.json["status"]) == (200, first.json["id"], "failed")


def test_white_space_and_order_do_not_matter(client: FlaskClient, loan: dict[str, Any]):
    first = post(client, loan)
    text = json.dumps(dict(reversed(loan.items())), indent=3)
    again = client.post("/v1/explanations", data=text, headers={**KEY, "Content-Type": "application/json"})
    assert again.json["id"] == first.json["id"]


def test_another_payload_is_refused(client: FlaskClient, worker: Any, loan: dict[str, Any]):
    post(client, loan)
    other = post(client, {**loan, "seed": 8})
    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")
    assert jobs(worker) == 1


def test_another_route_is_another_request(client: FlaskClient, loan: dict[str, Any]):
    post(client, loan)
    other = client.post("/v1/models/loan:predict", json={"instances": [[1.0, 2.0, 0.0, 3.0]]}, headers=KEY)
    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")


def test_another_tenants_key_is_another_key(client: FlaskClient, worker: Any, loan: dict[str, Any]):
    first = post(client, loan)
    other = post(client, {**loan, "seed": 8}, **{TENANT: "other"})
    assert (other.status_code, other.json["tenant"]) == (202, "other")
    assert other.json["id"] != first.json["id"]
    assert jobs(worker) == 2


def test_in_flight_everybody_gets_the_one_job(app: Flask, worker: Any, loan: dict[str, Any]):
    """Twenty at once, past the look that comes before admission: the ledger itself admits one."""
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: post(app.test_client(), {**loan, "fresh": True}), range(20)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json["id"] for answer in answers}) == jobs(worker) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1


def test_who_waits_for_a_repeated_job_gets_its_end(client: FlaskClient, serving: Any, loan: dict[str, Any]):
    first = post(client, loan)
    again = post(client, loan, Prefer="wait=20")
    assert (again.status_code, again.json["id"], again.json["status"]) == (200, first.json["id"], "succeeded")


def test_it_is_remembered_though_the_model_is_gone(client: FlaskClient, worker: Any, loan: dict[str, Any]):
    first = post(client, loan)
    worker.offer = worker.offer.model_copy(update={"models": ()})
    worker.redis.delete(*worker.redis.keys("{explainery}:offer*"))
    worker.announce()
    client.application.extensions["explainery"].catalogue._offer = None  # it looks once a second
    again = post(client, loan)
    assert (again.status_code, again.json["id"]) == (202, first.json["id"])


def test_when_the_job_was_deleted_its_key_says_so(client: FlaskClient, loan: dict[str, Any]):
    first = post(client, loan)
    client.delete(f"/v1/explanations/{first.json['id']}")
    assert post(client, loan).status_code == 410


def test_a_refused_request_uses_no_key_up(client: FlaskClient, loan: dict[str, Any]):
    assert post(client, {**loan, "model": "nobody"}).status_code == 422
    assert post(client, loan).status_code == 202


def test_a_key_is_kept_for_a_day_and_names_nobody(client: FlaskClient, worker: Any, loan: dict[str, Any]):
    post(client, loan)
    (name,) = worker.redis.keys("{explainery}:once:*")
    assert 86390 <= worker.redis.ttl(name) <= 86400
    assert b"8e03978e" not in name


def test_after_its_time_it_is_a_new_key(settings: Settings, worker: Any, loan: dict[str, Any]):
    app = create_app(dataclasses.replace(settings, idempotency_ttl_s=1))
    client = app.test_client()
    first = post(client, {**loan, "fresh": True})
    (name,) = worker.redis.keys("{explainery}:once:*")
    worker.redis.delete(name)  # as its expiry does
    assert post(client, {**loan, "fresh": True}).json["id"] != first.json["id"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/models/loan:explain", {"instances": [[1.0, 1.0, 0.0, 3.0]], "parameters": {"method": "kernel_shap"}}),
        ("/v1/models/loan:predict", {"instances": [[1.0, 1.0, 0.0, 3.0]]}),
        ("/v2/models/loan.explain/infer", {"inputs": [in_json("row", "FP32", [[4.0, 1.0, 0.0, 3.0]])[0]]}),
        ("/explanations/loan?method=kernel_shap", [5.0, 1.0, 0.0, 3.0]),
    ],
)
def test_on_every_route_that_makes_a_job(client: FlaskClient, serving: Any, path: str, body: Any):
    first = client.post(path, json=body, headers=KEY)
    made = jobs(serving)
    again = client.post(path, json=body, headers=KEY)
    assert (first.status_code, again.status_code) == (200, 200)
    assert (again.headers["Location"], again.data) == (first.headers["Location"], first.data)
    assert jobs(serving) == made
    other = client.post(path.replace("loan", "loan@1"), json=body, headers=KEY)
    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")


def test_binary_tensors_are_told_apart(client: FlaskClient, serving: Any):
    def ask(value: float) -> Any:
        head, blob = array_in_bytes("row", "FP32", [[value, 1.0, 0.0, 3.0]])
        text = json.dumps({"inputs": [head]}).encode()
        headers = {**KEY, "Inference-Header-Content-Length": str(len(text))}
        return client.post("/v2/models/loan.explain/infer", data=text + blob, headers=headers)

    first = ask(1.0)
    assert (first.status_code, ask(1.0).headers["Location"]) == (200, first.headers["Location"])
    assert ask(2.0).json["code"] == "idempotency_key_reused"


@pytest.mark.parametrize(
    ("header", "key"),
    [(None, None), ("abc-1", "abc-1"), ('"abc-1"', "abc-1"), ('"a b, c"', "a b, c"), (r'"a\"b\\"', 'a"b\\'), ('"a";p=1', "a")],
)
def test_a_key_is_quoted_or_bare(header: str | None, key: str | None):
    assert read_key(header) == key


@pytest.mark.parametrize(
    "header", ["", '""', '"a', "a b", "a,b", '"a", "b"', "k" * 256, '"' + "k" * 256 + '"', "schlüssel", "a\\"]
)
def test_what_is_no_key_is_refused(header: str):
    with pytest.raises(InvalidIdempotencyKey):
        read_key(header)


def test_it_is_refused_with_400_and_not_repeated(client: FlaskClient, worker: Any, loan: dict[str, Any]):
    answer = client.post("/v1/explanations", json=loan, headers={"Idempotency-Key": "canary 7c1f"})
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_idempotency_key")
    assert "canary" not in answer.text
    assert jobs(worker) == 0
