"""The wire as a client meets it, from a real API and a real worker."""

from __future__ import annotations

import base64
import io
from typing import Any

import httpx
import numpy as np
import pytest
import repos
from onnx import TensorProto, helper
from PIL import Image
from safetensors.numpy import load as load_safetensors
from stacks import Stack, until

from explainery import Client

ROWS = [[1.0, 1.0, 1.0], [0.0, 2.0, -1.0]]


def test_submit_poll_result(stack: Stack) -> None:
    answer = stack.post(
        {"model": "linear", "method": "integrated_gradients", "instances": ROWS, "seed": 7, "decision_id": "loan-1"}
    )
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/v1/explanations/{job['id']}"
    assert int(answer.headers["retry-after"]) >= 0
    assert job["rows"] == 2
    ended = stack.ended(job["id"])
    assert ended["status"] == "succeeded"
    assert ended["attempts"] == 1
    assert ended["progress"]["unit"] == "gradient_evaluations"
    result = stack.http.get(f"/v1/explanations/{job['id']}/result").json()
    assert result["method"] == "integrated_gradients"
    assert result["seed"] == 7
    assert result["value_function"] == "baseline"
    assert result["environment"]["device"] == "cpu"
    for row, explanation in zip(ROWS, result["explanations"], strict=True):
        (attribution,) = explanation["attributions"]
        assert attribution["shape"] == [3]
        np.testing.assert_allclose(attribution["data"], np.array(row) * [1, 2, 3], atol=1e-9)
        assert explanation["instance_output"] == pytest.approx(1 + np.dot(row, [1, 2, 3]))
        assert explanation["baseline_output"] == pytest.approx(1)
        assert explanation["quality"]["verdict"] == "pass"


def test_wait_answers_with_the_finished_job(stack: Stack) -> None:
    body = {"model": "linear", "method": "saliency", "instances": ROWS}
    answer = stack.post(body, Prefer="wait=20")
    assert answer.status_code == 200
    assert answer.json()["status"] == "succeeded"
    assert stack.post(body, Prefer="respond-async").status_code == 202


def test_long_poll_ends_when_the_job_does(stack: Stack) -> None:
    job_id = stack.submit("slow", "smoothgrad", ROWS[:1], params={"samples": 40})
    tag = stack.http.get(f"/v1/explanations/{job_id}").headers["etag"]
    while (answer := stack.http.get(f"/v1/explanations/{job_id}", headers={"Prefer": "wait=10", "If-None-Match": tag})).json()[
        "status"
    ] != "succeeded":
        assert answer.headers["etag"] != tag
        tag = answer.headers["etag"]
    again = stack.http.get(f"/v1/explanations/{job_id}", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


def test_result_as_npz_and_safetensors(stack: Stack) -> None:
    job_id = stack.submit(
        "cnn", "kernel_shap", np.zeros((2, 1, 8, 8)).tolist(), params={"samples": 300}, baseline={"value": 0.5}
    )
    expected = stack.result(job_id)
    address = f"/v1/explanations/{job_id}/result"
    with np.load(io.BytesIO(stack.http.get(address, headers={"Accept": "application/x-npz"}).content)) as archive:
        data = archive["attributions.input"]
    tensors = load_safetensors(stack.http.get(address, headers={"Accept": "application/vnd.safetensors"}).content)
    np.testing.assert_array_equal(data, tensors["attributions.input"])
    for row, explanation in enumerate(expected["explanations"]):
        np.testing.assert_allclose(np.reshape(explanation["attributions"][0]["data"], (1, 8, 8)), data[row], rtol=1e-6)
    assert tensors["standard_error.input"].shape == data.shape
    assert stack.http.get(address, headers={"Accept": "text/html"}).status_code == 406


def test_cancel_delete_gone(stack: Stack) -> None:
    job_id = stack.submit("slow", "smoothgrad", ROWS, params={"samples": 2000})
    until(lambda: stack.job(job_id)["status"] == "running")
    assert stack.http.get(f"/v1/explanations/{job_id}/result").status_code == 409
    canceled = stack.http.post(f"/v1/explanations/{job_id}/cancel")
    assert (canceled.status_code, canceled.json()["status"]) == (200, "canceled")
    assert stack.http.post(f"/v1/explanations/{job_id}/cancel").status_code == 409
    assert stack.http.delete(f"/v1/explanations/{job_id}").status_code in (200, 204)
    for address in (f"/v1/explanations/{job_id}", f"/v1/explanations/{job_id}/result"):
        assert stack.http.get(address).status_code == 410
    assert stack.http.get("/v1/explanations/01ARZ3NDEKTSV4RRFFQ69G5FAV").status_code == 404


def test_a_canceled_job_frees_its_worker(stack: Stack) -> None:
    """40 s of work, canceled: the next job on the only worker is done long before."""
    job_id = stack.submit("slow", "smoothgrad", ROWS, params={"samples": 2000})
    until(lambda: stack.job(job_id)["status"] == "running")
    stack.http.post(f"/v1/explanations/{job_id}/cancel")
    assert stack.ended(stack.submit("linear", "saliency", ROWS), within_s=10)["status"] == "succeeded"


def test_a_deadline_expires_the_job(stack: Stack) -> None:
    job_id = stack.submit("slow", "smoothgrad", ROWS, params={"samples": 2000}, deadline_s=0.5)
    ended = stack.ended(job_id)
    assert (ended["status"], ended["error"]["code"]) == ("expired", "deadline_exceeded")


def test_list_by_decision(stack: Stack) -> None:
    ids = [stack.submit("linear", "saliency", ROWS, decision_id="case-9") for _ in range(3)]
    seen: list[str] = []
    query: dict[str, Any] = {"decision_id": "case-9", "limit": 2}
    while True:
        page = stack.http.get("/v1/explanations", params=query).json()
        seen += [job["id"] for job in page["jobs"]]
        if not page.get("cursor"):
            break
        query["cursor"] = page["cursor"]
    assert seen == ids[::-1]


def test_catalogue(stack: Stack) -> None:
    methods = stack.http.get("/v1/methods").json()["methods"]
    assert {"saliency", "kernel_shap", "auto"} <= {method["name"] for method in methods}
    one = stack.http.get("/v1/methods/integrated_gradients").json()
    assert one["completeness"] is True
    assert {param["name"] for param in one["params"]} == {"max_steps", "tolerance"}
    version = until(lambda: judged(stack, "onnx"))
    assert version["digest"].startswith("sha256:")
    assert version["methods"]["kernel_shap"]["available"] is True
    assert version["methods"]["saliency"]["available"] is True
    assert set(version["verdict"]["cannot"]) == {"trees"}  # it is no ensemble of them


def test_gradients_of_onnx_and_what_is_known_of_them(stack: Stack) -> None:
    """The measured difference is in the catalogue once the model was tried, and so is an operator that is missing."""
    result = stack.result(stack.submit("onnx", "input_x_gradient", ROWS, target=1))
    assert result["explanations"][0]["attributions"][0]["data"] == pytest.approx([0.0, 1.0, -1.0])
    assert "torch" in result["environment"]
    version = until(lambda: judged(stack, "onnx"))
    assert version["verdict"]["parity"] < 1e-5

    there = helper.make_node("Cast", ["input"], ["text"], to=TensorProto.STRING)
    back = helper.make_node("Cast", ["text"], ["score"], to=TensorProto.FLOAT)
    shapes = {"input": ["n", 3], "score": ["n", 3]}
    repos.add_onnx(stack.models, "cast-to-text", [there, back], {}, repos.tensor_input("input", [3]), repos.output(3), **shapes)
    version = until(lambda: judged(stack, "cast-to-text"))
    assert version["methods"]["saliency"]["available"] is False
    assert "Cast makes or takes STRING, which is not translated" in version["methods"]["saliency"]["reason"]
    refused = stack.post({"model": "cast-to-text", "method": "saliency", "instances": ROWS, "target": 0})
    assert refused.status_code == 422
    assert refused.json()["code"] == "method_unavailable"
    assert stack.result(stack.submit("cast-to-text", "feature_ablation", ROWS, target=0))


def judged(stack: Stack, model: str) -> Any:
    """The newest version of a model in the catalogue once its file was tried, or None."""
    answer = stack.http.get(f"/v1/models/{model}")
    version = answer.json()["versions"][0] if answer.status_code == 200 else None
    return version if version and version["verdict"] else None


def test_health_and_documents(stack: Stack) -> None:
    assert stack.http.get("/healthz").status_code == 200
    assert stack.http.get("/readyz").status_code == 200
    assert stack.http.get("/openapi.json").json()["openapi"].startswith("3.1")
    assert "explainery" in stack.http.get("/metrics").text


def test_an_image_file_and_a_label(stack: Stack) -> None:
    file = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4).save(file, "PNG")
    image = {"b64": base64.b64encode(file.getvalue()).decode(), "media_type": "image/png"}
    result = stack.result(stack.submit("cnn", "saliency", [image], target="c"))
    assert result["explanations"][0]["target"] == {"output": "score", "index": 2, "label": "c", "link": None}
    cut = {**image, "b64": base64.b64encode(file.getvalue()[:50]).decode()}
    assert stack.ended(stack.submit("cnn", "saliency", [cut]))["error"]["code"] == "input_undecodable"


def test_one_hot_block_is_one_player(stack: Stack) -> None:
    row = {"age": 2.0, "sex_f": 1.0, "sex_m": 0.0, "income": 3.0}
    attribution = stack.result(stack.submit("table", "exact_shapley", [row]))["explanations"][0]["attributions"][0]
    assert attribution["features"] == ["age", "sex", "income"]
    assert attribution["shape"] == [3]


def test_auto_says_what_it_chose_and_why(stack: Stack) -> None:
    result = stack.result(stack.submit("linear", "auto", ROWS))
    assert result["method"] == "exact_shapley"
    assert any("8 coalitions" in note for note in result["notes"])
    assert stack.result(stack.submit("cnn", "auto", np.zeros((1, 1, 8, 8)).tolist()))["method"] == "integrated_gradients"


def test_models_that_misbehave_fail_their_jobs_only(stack: Stack) -> None:
    nan = stack.ended(stack.submit("picky", "saliency", [[60.0, 0.0, 0.0]]))
    assert nan["error"]["code"] == "model_output_not_finite"
    raised = stack.ended(stack.submit("picky", "saliency", [[101.0, 0.0, 0.0]]))
    assert raised["error"]["code"] == "model_failed"
    assert "secret" not in raised["error"]["detail"]
    assert stack.ended(stack.submit("picky", "saliency", [[1.0, 0.0, 0.0]]))["status"] == "succeeded"


def test_many_small_jobs_share_batches(stack: Stack) -> None:
    """A worker kept busy for a moment finds a hundred jobs waiting and works on them together."""
    stack.submit("linear", "smoothgrad", ROWS, params={"samples": 4096})
    ids = [stack.submit("linear", "feature_ablation", [[float(n), 1.0, 1.0]]) for n in range(100)]
    results = [stack.result(job_id) for job_id in ids]
    for number, result in enumerate(results):
        np.testing.assert_allclose(result["explanations"][0]["attributions"][0]["data"], [number, 2, 3], atol=1e-9)
    assert max(result["cost"]["batch_jobs"] for result in results) > 1


def test_the_client(stack: Stack) -> None:
    with Client(str(stack.http.base_url)) as client:
        result = client.explain("linear", np.array(ROWS), "exact_shapley")
    np.testing.assert_allclose(result.attributions["input"], np.array(ROWS) * [1, 2, 3], atol=1e-9)


@pytest.mark.parametrize("address", ["/nowhere", "/v1/explanations/x/y/z", "/v1/methods/none", "/v1/models/none"])
def test_every_error_is_a_problem(stack: Stack, address: str) -> None:
    answer: httpx.Response = stack.http.get(address)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "instance", "code", "error"} <= set(answer.json())
