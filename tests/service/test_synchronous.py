"""The protocols whose clients wait: their bounds, their refusals, and what they never repeat, by a worker moved by hand."""

from __future__ import annotations

import dataclasses
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from wire_v2 import HEADER, array_in_bytes, in_bytes, in_json

from explainery.contract.job import JobError
from explainery.contract.reasons import Reason
from explainery.contract.result import Explanation, Quality, Target
from explainery.settings import Settings
from explainery.store.jobs import Limits
from service.app import create_app
from service.routes.kserve_v1 import _explanation

CANARY = "canary-7c1f"
ROW = [1.0, 2.0, 0.0, 3.0]
TENSOR = in_json("row", "FP32", [ROW])[0]
SYNCHRONOUS = {
    "v1": ("/v1/models/{}:explain", {"instances": [[1.0, 1.0, 0.0, 3.0]], "parameters": {"method": "kernel_shap"}}),
    "v1-predict": ("/v1/models/{}:predict", {"instances": [[2.0, 1.0, 0.0, 3.0]]}),
    "v2": (
        "/v2/models/{}/infer",
        {"inputs": [in_json("row", "FP32", [[3.0, 1.0, 0.0, 3.0]])[0]], "parameters": {"method": "kernel_shap"}},
    ),
    "v2-explain": ("/v2/models/{}.explain/infer", {"inputs": [in_json("row", "FP32", [[4.0, 1.0, 0.0, 3.0]])[0]]}),
    "torchserve": ("/explanations/{}?method=kernel_shap", [5.0, 1.0, 0.0, 3.0]),
}
"""A path and a good body of each. Tests go through them in a loop: an app that has waited takes a second to close.

Their rows differ, for the same question would have its answer already.
"""


def ask(client: FlaskClient, protocol: str, model: str = "loan", **headers: str) -> Any:
    path, body = SYNCHRONOUS[protocol]
    return client.post(path.format(model), json=body, headers=headers)


@pytest.fixture
def hasty(settings: Settings, worker: Any) -> Iterator[FlaskClient]:
    """An API that waits a tenth of a second only."""
    app = create_app(dataclasses.replace(settings, sync_limit_s=0.1))
    yield app.test_client()
    app.extensions["explainery"].watcher.close()


def test_past_the_bound_504_names_the_job_which_goes_on(hasty: FlaskClient, worker: Any) -> None:
    for protocol in SYNCHRONOUS:
        late = ask(hasty, protocol)
        assert (late.status_code, late.json["code"], late.content_type) == (
            504,
            "sync_limit_reached",
            "application/problem+json",
        )
        assert late.json["error"] == late.json["detail"]
        where = late.json["job"]
        assert late.headers["Location"] == where
        assert where in late.json["error"]
        assert int(late.headers["Retry-After"]) >= 1
        assert hasty.get(where).json["status"] == "queued"
        while claims := worker.jobs.claim("worker-hand", Limits(8, 8)).claims:
            for claim in claims:
                assert worker.succeed(claim)
        assert hasty.get(where).json["status"] == "succeeded"
        again = ask(hasty, protocol)  # the same question has its answer by now
        assert again.status_code == 200, again.json


def test_asynchronous_when_asked_only(client: FlaskClient) -> None:
    for protocol in SYNCHRONOUS:
        answer = ask(client, protocol, Prefer="respond-async")
        assert (answer.status_code, answer.json["status"]) == (202, "queued")
        assert answer.headers["Location"] == answer.json["links"]["self"]
        assert answer.headers["Preference-Applied"] == "respond-async"
        both = ask(client, protocol, Prefer="respond-async, wait=0.05")
        assert both.status_code == 202
        waited = ask(client, protocol, Prefer="wait=0.05")
        assert waited.status_code == 504


def test_the_answer_comes_in_the_same_breath(client: FlaskClient, serving: Any) -> None:
    for protocol in SYNCHRONOUS:
        answer = ask(client, protocol)
        assert answer.status_code == 200, answer.json
        assert client.get(answer.headers["Location"]).json["status"] == "succeeded"
        waited = ask(client, protocol, Prefer="respond-async, wait=20")
        assert (waited.status_code, waited.headers["Preference-Applied"]) == (200, "respond-async, wait=20")


@contextmanager
def meanwhile(step: Callable[[], object]) -> Iterator[None]:
    """Do something over and over in another thread while a request waits."""
    done = threading.Event()

    def work() -> None:
        while not done.wait(0.005):
            step()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


FAILURES = {"model_failed": 500, "input_undecodable": 422, "remote_unavailable": 503, "deadline_exceeded": 504}


@pytest.mark.parametrize("code", FAILURES)
def test_a_job_that_fails_is_an_error_that_says_why(
    code: str, client: FlaskClient, settings: Settings, offer: Any, hand_worker: Any
) -> None:
    """Who is to blame decides the status."""
    worker = hand_worker(dataclasses.replace(settings, max_retries=0), offer)
    error = JobError(code=code, detail="So it was.", retryable=code == "remote_unavailable")

    def fail() -> None:
        for claim in worker.jobs.claim("worker-hand", Limits(8, 8)).claims:
            worker.jobs.fail("worker-hand", claim.spec.id, claim.fence, error)

    for protocol in SYNCHRONOUS:
        with meanwhile(fail):
            answer = ask(client, protocol)
        assert (answer.status_code, answer.json["code"]) == (FAILURES[code], "job_not_succeeded")
        assert answer.json["job_error"]["code"] == code
        assert answer.json["retryable"] is (code == "remote_unavailable")
        assert "So it was." in answer.json["error"]
        job = client.get(answer.json["job"]).json
        assert job["status"] == answer.json["state"] == ("expired" if code == "deadline_exceeded" else "failed")
    worker.close()


def test_a_canceled_job_is_a_conflict(app: Flask, client: FlaskClient) -> None:
    def cancel() -> None:
        other = app.test_client()
        for job in other.get("/v1/explanations?status=queued").json["jobs"]:
            other.post(job["links"]["cancel"])

    with meanwhile(cancel):
        answer = ask(client, "v2-explain")
    assert (answer.status_code, answer.json["state"], answer.json["code"]) == (409, "canceled", "job_not_succeeded")


def test_an_unknown_model_is_404_and_an_unknown_method_422(client: FlaskClient) -> None:
    for protocol in SYNCHRONOUS:
        unknown = ask(client, protocol, "loam")
        assert (unknown.status_code, unknown.json["code"]) == (404, "unknown_model")
        assert "did you mean loan?" in unknown.json["error"]
        broken = ask(client, protocol, "broken")
        assert (broken.status_code, broken.json["code"]) == (422, "model_not_usable")


def v1(**changes: Any) -> tuple[str, Any]:
    return "/v1/models/loan:explain", {"instances": [ROW], **changes}


def override(**parameters: Any) -> tuple[str, Any]:
    return v1(explanation_spec_override={"parameters": parameters})


def v2(tensor: Any = None, **changes: Any) -> tuple[str, Any]:
    return "/v2/models/loan.explain/infer", {"inputs": [tensor or TENSOR], **changes}


def metadata(**inputs: Any) -> tuple[str, Any]:
    return v1(explanation_spec_override={"metadata": {"inputs": inputs}})


REFUSALS: dict[str, tuple[tuple[str, Any], str, str]] = {
    "v1 nothing": (("/v1/models/loan:explain", {}), "invalid_input", "must be given"),
    "v1 both": (v1(inputs=[ROW]), "invalid_input", "not both"),
    "v1 field": (v1(**{CANARY: 1}), "invalid_request", "is not a field"),
    "v1 no object": (("/v1/models/loan:explain", [ROW]), "invalid_request", "must be a JSON object"),
    "v1 method": (v1(parameters={"method": CANARY}), "unknown_method", "no method of that name"),
    "v1 parameter": (v1(parameters={"method": "kernel_shap", CANARY: 1}), "invalid_parameter", "it takes: samples"),
    "v1 params": (v1(parameters={"params": 3}), "invalid_request", "must be an object"),
    "v1 predict": (v1(parameters={"method": "predict"}), "invalid_input", "use :predict"),
    "v1 whole job": (v1(parameters={"method": "report"}), "invalid_parameter", "as a whole"),
    "v1 target": (v1(parameters={"target": CANARY}), "invalid_target", "a label: low, mid, high"),
    "v1 row": (v1(instances=[[CANARY]]), "invalid_input", "must hold only numbers"),
    "v1 columns": (("/v1/models/pair:explain", {"inputs": {"left": [[1, 2]], "right": []}}), "invalid_input", "same number"),
    "v1 file": (v1(instances=[{"b64": CANARY}]), "invalid_input", "not an image"),
    "vertex xrai": (override(xrai_attribution={}), "invalid_request", "XRAI is not offered"),
    "vertex two": (
        override(sampled_shapley_attribution={}, integrated_gradients_attribution={}), "invalid_request", "one method"
    ),
    "vertex name": (override(**{CANARY: 1}), "invalid_request", "there are: examples, integrated_gradients_attribution"),
    "vertex top": (override(top_k=2), "invalid_request", "ask once per output"),
    "vertex indices": (override(output_indices=[0, 1]), "invalid_request", "ask once per output"),
    "vertex steps": (override(integrated_gradients_attribution={"step_count": CANARY}), "invalid_request", "whole number"),
    "vertex smooth": (
        override(integrated_gradients_attribution={"smooth_grad_config": {}}), "invalid_request", "there are: step_count"
    ),
    "vertex paths": (override(sampled_shapley_attribution={"path_count": 0}), "invalid_request", "1 or more"),
    "vertex input": (metadata(other={"input_baselines": [ROW]}), "invalid_request", "does not have"),
    "vertex no baseline": (metadata(row={"input_baselines": []}), "invalid_request", "list of rows"),
    "vertex half": (metadata(age={"input_baselines": [1]}), "invalid_request", "for all of the model's inputs"),
    "vertex baseline": (metadata(row={"input_baselines": [[1]]}), "invalid_baseline", "one row of input row"),
    "vertex examples": (v1(explanation_spec_override={"examples_override": {}}), "invalid_request", "not offered"),
    "v2 nothing": (("/v2/models/loan/infer", {}), "invalid_request", "inputs: is missing"),
    "v2 name": (v2({**TENSOR, "name": CANARY}), "invalid_input", "exactly one tensor"),
    "v2 datatype": (v2({**TENSOR, "datatype": CANARY}), "invalid_input", "is not one of"),
    "v2 other datatype": (v2({**TENSOR, "datatype": "FP64"}), "invalid_input", "must be FP32"),
    "v2 fp16": (v2({**TENSOR, "datatype": "FP16"}), "invalid_input", "no form in JSON"),
    "v2 no data": (v2({k: v for k, v in TENSOR.items() if k != "data"}), "invalid_input", "must have either data"),
    "v2 shape": (v2({**TENSOR, "shape": [-1, 0], "data": []}), "invalid_input", "sizes >= 1"),
    "v1 deep": (v1(instances=[json.loads('{"a":' * 900 + "1" + "}" * 900)]), "invalid_input", "lacks the features"),
    "v2 data": (v2({**TENSOR, "data": [1.0]}), "invalid_input", "has 1 elements"),
    "v2 strings": (v2({**TENSOR, "datatype": "BYTES", "data": [CANARY] * 4}), "invalid_input", "only texts and images"),
    "v2 tensor parameter": (v2({**TENSOR, "parameters": {CANARY: 1}}), "invalid_request", "not offered"),
    "v2 parameter": (v2(parameters={"method": "kernel_shap", CANARY: 1}), "invalid_parameter", "it takes: samples"),
    "v2 binary output": (v2(parameters={"binary_data_output": 1, "method": "kernel_shap"}), "invalid_request", "true or false"),
    "v2 output": (v2(outputs=[{"name": CANARY}]), "invalid_request", "there are: attributions"),
    "v2 classes": (
        v2(outputs=[{"name": "attributions", "parameters": {"classification": 2}}]), "invalid_request", "nothing else"
    ),
    "v2 whole job": (v2(parameters={"method": "report"}), "invalid_parameter", "as a whole"),
    "ts row": (("/explanations/loan", [CANARY]), "invalid_input", "must hold only numbers"),
    "ts text": (("/explanations/loan", CANARY), "invalid_input", ""),
    "ts predict": (("/explanations/loan?method=predict", ROW), "invalid_input", "no explanation"),
    "ts parameter": (("/explanations/loan?method=kernel_shap&canary-7c1f=1", ROW), "invalid_parameter", "it takes: samples"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_a_bad_request_is_refused_in_words_and_repeats_nothing(
    case: str, client: FlaskClient, serving: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    (path, body), code, sentence = REFUSALS[case]
    answer = client.post(path, json=body)
    assert (answer.status_code, answer.json["code"]) == (422, code), answer.json
    assert sentence in answer.json["error"]
    assert CANARY not in answer.text
    assert CANARY not in caplog.text


def in_body(*tensors: tuple[dict[str, Any], bytes], lie: int = 0, **more: Any) -> tuple[bytes, dict[str, str]]:
    head = json.dumps({"inputs": [tensor for tensor, _ in tensors], **more}).encode()
    return head + b"".join(content for _, content in tensors), {HEADER: str(len(head) + lie)}


GOOD = array_in_bytes("row", "FP32", [ROW])
NAN = array_in_bytes("row", "FP32", [[1.0, 2.0, 0.0, float("nan")]])
BINARY: dict[str, tuple[tuple[bytes, dict[str, str]], int, str]] = {
    "longer than it says": (in_body((GOOD[0], GOOD[1] + b"xx")), 400, "more bytes"),
    "shorter than it says": (in_body((GOOD[0], GOOD[1][:-1])), 400, "cut short"),
    "header past the end": (in_body(GOOD, lie=1000), 400, "Inference-Header"),
    "header into the bytes": (in_body(GOOD, lie=4), 400, "not JSON"),
    "no header": ((in_body(GOOD)[0], {}), 400, "not JSON"),
    "header that is none": ((in_body(GOOD)[0], {HEADER: "-3"}), 400, "Inference-Header"),
    "too few for the shape": (in_body(in_bytes("row", "FP32", [1, 4], b"\0" * 12)), 422, "needs another count"),
    "negative shape": (in_body(in_bytes("row", "FP32", [-1, 4], b"\0" * 16)), 422, "sizes >= 1"),
    "empty shape": (in_body(in_bytes("row", "FP32", [0, 2**40], b"")), 422, "sizes >= 1"),
    "many axes": (in_body(in_bytes("row", "FP32", [1] * 99, b"\0" * 4)), 422, "sizes >= 1"),
    "not finite": (in_body(NAN), 422, "NaN"),
    "both": (in_body(({**GOOD[0], "data": ROW}, GOOD[1])), 422, "either data"),
    "size is a truth": (in_body(({**GOOD[0], "parameters": {"binary_data_size": True}}, b"")), 400, "cut short"),
    "a number as bytes for a text": (
        in_body(in_bytes("row", "BYTES", [1], b"\x01\0\0\0a")), 422, "only texts and images"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BINARY)
def test_binary_that_does_not_fit_is_refused(case: str, client: FlaskClient, job_keys: Any) -> None:
    (body, headers), status, sentence = BINARY[case]
    answer = client.post("/v2/models/loan.explain/infer", data=body, headers=headers)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json"), answer.json
    assert sentence in answer.json["error"]
    assert job_keys() == []


def test_texts_in_binary_that_do_not_fit(client: FlaskClient) -> None:
    """A length past the end, one string too few, one too many, and no UTF-8."""
    whole = b"\x02\0\0\0ab"
    cases = (
        (1, whole[:-1], "cut short"),
        (2, whole, "needs 2"),
        (1, whole + whole, "too many"),
        (1, b"\x01\0\0\0\xff", "UTF-8"),
    )
    for rows, content, sentence in cases:
        body, headers = in_body(in_bytes("tokens", "BYTES", [rows], content))
        answer = client.post("/v2/models/words.explain/infer", data=body, headers=headers)
        assert (answer.status_code, answer.json["code"]) == (422, "invalid_input"), answer.json
        assert sentence in answer.json["error"]


def test_too_many_texts_are_refused_before_they_are_read(client: FlaskClient, settings: Settings) -> None:
    body, headers = in_body(in_bytes("tokens", "BYTES", [settings.max_rows + 1], b""))
    answer = client.post("/v2/models/words.explain/infer", data=body, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (413, "payload_too_large"), answer.json


def test_an_input_that_is_sent_twice_is_refused_texts_too(client: FlaskClient) -> None:
    one, two = (in_json("tokens", "BYTES", [word])[0] for word in ("good", "bad"))
    answer = client.post("/v2/models/words.explain/infer", json={"inputs": [one, two]})
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_input"), answer.json


def test_numbers_reach_the_worker_as_they_were_sent(client: FlaskClient, serving: Any) -> None:
    """The worker's answer is the row itself: sent and answered in bytes, every bit of it comes back."""
    row = np.array([[0.1, -3.4e38, 1.0, 1e-38]], np.float32)
    body, headers = in_body(array_in_bytes("row", "FP32", row), parameters={"binary_data_output": True})
    answer = client.post("/v2/models/loan.explain/versions/1/infer", data=body, headers=headers)
    length = int(answer.headers[HEADER])
    document = json.loads(answer.data[:length])
    assert document["outputs"][0]["name"] == "attributions"
    assert answer.data[length : length + 16] == row.tobytes()
    assert (document["model_name"], document["model_version"]) == ("loan.explain", "1")


def test_what_is_asked_of_the_explanation_is_not_asked_of_the_predictions(client: FlaskClient, serving: Any) -> None:
    parameters = {"method": "kernel_shap", "quality": ["deletion"], "reasons": {"top": 1}, "budget": 100}
    said = client.post("/v1/models/loan:explain", json={"instances": [ROW], "parameters": parameters})
    assert (said.status_code, said.json["predictions"]) == (200, [[0.0, 1.0, 2.0]])


def test_predictions_are_not_asked_for_where_the_explanation_may_not_enter(guarded: Any) -> None:
    guarded.tenants.set("acme", jobs=1)
    client = guarded.client("acme")
    said = client.post("/v1/models/loan:explain", json={"instances": [ROW], "parameters": {"method": "kernel_shap"}})
    assert (said.status_code, said.json["code"]) == (429, "quota_exceeded")
    assert [job["status"] for job in client.get("/v1/explanations").json["jobs"]] == ["canceled"]
    body = {"instances": [[9.0, *ROW[1:]]], "parameters": {"method": "kernel_shap"}}
    client.post("/v1/models/loan:explain", json=body, headers={"Idempotency-Key": "k"})
    assert [job["status"] for job in client.get("/v1/explanations").json["jobs"]] == ["queued", "canceled"]


def test_v1_tells_the_reasons_that_were_asked_for() -> None:
    quality = Quality(completeness_gap=0.0, approximation_error=None, standard_error=None, converged=True, verdict="pass")
    row = Explanation(
        target=Target(output="y", index=0), instance_output=1.0, baseline_output=0.0, attributions=(), quality=quality
    )
    reason = Reason(
        rank=1, code="R1", text="Debt", features=("debt",), contribution=-1.0, standard_error=None, tied=False, certain=True
    )
    assert "reasons" not in _explanation(row, {})
    (told,) = _explanation(row.model_copy(update={"reasons": (reason,)}), {})["reasons"]
    assert (told["code"], told["features"], told["contribution"]) == ("R1", ["debt"], -1.0)


def test_no_header_of_the_request_is_in_the_answer(client: FlaskClient, serving: Any) -> None:
    for protocol in SYNCHRONOUS:
        planted = {"Authorization": f"Bearer {CANARY}", "Cookie": f"a={CANARY}", "X-Anything": CANARY, "ce-id": CANARY}
        for model in ("loan", "loam"):
            answer = ask(client, protocol, model, **planted)
            assert answer.status_code in (200, 404)
            assert CANARY not in str(answer.headers)
            assert CANARY not in answer.text
            assert not {name.lower() for name in planted} & set(map(str.lower, dict(answer.headers)))


def test_no_content_type_is_needed_but_pages_of_other_sites_must_send_one(client: FlaskClient, serving: Any) -> None:
    for protocol in SYNCHRONOUS:
        path, body = SYNCHRONOUS[protocol]
        content = json.dumps(body).encode()
        for kind in ({}, {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "text/plain"}):
            assert client.post(path.format("loan"), data=content, headers=kind).status_code == 200
            elsewhere = {**kind, "Origin": "https://elsewhere.test"}
            assert client.post(path.format("loan"), data=content, headers=elsewhere).status_code == 415
        assert client.post(path.format("loan"), data=content, headers={"Content-Encoding": "gzip"}).status_code == 415
        elsewhere = {"Origin": "https://elsewhere.test"}
        form = client.post("/explanations/loan", data={"data": "[1]"}, headers=elsewhere, content_type="multipart/form-data")
        assert form.status_code == 415


def test_not_ready_without_a_worker(client: FlaskClient, worker: Any) -> None:
    assert client.get("/v2/health/ready").json == {"live": True, "ready": True}
    broken = client.get("/v2/models/broken/ready")
    assert (broken.status_code, broken.json["ready"], broken.json["name"]) == (503, False, "broken")
    assert "model.onnx is missing" in broken.json["error"]
    assert client.get("/v1/models/broken").json["ready"] is False
    worker.catalogue.withdraw("worker-hand")
    ready = client.get("/v2/health/ready")
    assert (ready.status_code, ready.json["live"], ready.json["ready"], ready.json["code"]) == (503, True, False, "no_worker")
    assert client.get("/v2/health/live").json == {"live": True, "ready": False}
    assert client.get("/v2/models/loan/ready").json["ready"] is False


def test_live_without_redis(client: FlaskClient, redis_server: Any) -> None:
    redis_server.stop()
    try:
        assert client.get("/v2/health/live").json == {"live": True, "ready": False}
        assert client.get("/").json == {"status": "alive"}
        ready = client.get("/v2/health/ready")
        assert (ready.status_code, ready.json["code"], ready.json["ready"]) == (503, "store_unavailable", False)
    finally:
        redis_server.start()


def test_a_model_that_is_called_like_an_explainer_is_itself(client: FlaskClient) -> None:
    unknown = client.get("/v2/models/loam.explain")
    assert (unknown.status_code, unknown.json["code"]) == (404, "unknown_model")
    assert client.get("/v2/models/loan/versions/9").json["code"] == "unknown_model_version"
    described = client.get("/v2/models/pair.explain").json
    assert [each["name"] for each in described["outputs"]][:2] == ["attributions.left", "attributions.right"]
    assert client.get("/v2/models/words").json["inputs"] == [{"name": "tokens", "datatype": "BYTES", "shape": [-1]}]
