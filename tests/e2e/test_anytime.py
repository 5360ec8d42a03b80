"""Anytime and refine through the real service and a real worker."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import repos
from redis import Redis
from stacks import Stack, until

from explainery.client import Client, ServiceError
from explainery.store.keys import key

ROWS = [[float(value) for value in row] for row in np.random.Generator(np.random.PCG64(5)).normal(size=(3, 12))]


@pytest.fixture(scope="module")
def double(stack: Stack) -> str:
    """A net in double precision, put there while the service runs."""
    inputs = repos.tensor_input("input", [12], "FP64")
    repos.add_torch(stack.models, "double", "nets:double_mlp", {"features": 12}, inputs, repos.output(3))
    repos.add_stub(stack.models, "sluggish", 12, weights=[1.0 + k for k in range(12)], delay_s=0.002)
    until(lambda: {"double", "sluggish"} <= {model["name"] for model in stack.http.get("/v1/models").json()["models"]})
    return "double"


def refine(stack: Stack, job_id: str, **body: Any) -> Any:
    return stack.http.post(f"/v1/explanations/{job_id}/refine", json=body)


def refined(stack: Stack, job_id: str, **body: Any) -> str:
    stack.result(job_id)
    answer = refine(stack, job_id, **body)
    assert answer.status_code == 202, answer.text
    assert answer.json()["refines"] == job_id
    return str(answer.json()["id"])


def numbers(result: dict[str, Any]) -> np.ndarray:
    parts = [each for explanation in result["explanations"] for each in explanation["attributions"]]
    return np.array([[part["data"], part["standard_error"] or part["data"]] for part in parts])


@pytest.mark.parametrize("method", ["kernel_shap", "permutation_shapley", "expected_gradients", "smoothgrad", "lime", "rise"])
def test_four_times_512_samples_refined_equal_one_run_of_2048(stack: Stack, double: str, method: str) -> None:
    tolerance = {"tolerance": 0.0} if method not in ("smoothgrad", "lime", "rise") else {}
    asked = {"params": {"samples": 512, **tolerance}, "seed": 7}
    chain = stack.submit(double, method, ROWS, **asked)
    for _ in range(3):
        chain = refined(stack, chain, samples=512)
    one = stack.submit(double, method, ROWS, **{**asked, "params": {"samples": 2048, **tolerance}})
    last, whole = stack.result(chain), stack.result(one)
    np.testing.assert_allclose(numbers(last), numbers(whole), rtol=1e-9, atol=1e-9)
    assert last["params"] == whole["params"]
    told = stack.job(chain)["estimate"]
    for kind in ("model_evaluations", "gradient_evaluations"):
        assert last["cost"][kind] <= whole["cost"][kind] * 0.55
        assert last["cost"][kind] <= told[kind]["at_most"]
        if method in ("kernel_shap", "smoothgrad"):  # others draw what they have drawn before, or ask it anew
            assert told[kind]["expected"] == pytest.approx(last["cost"][kind], rel=0.05, abs=12)


def test_a_refined_job_shares_what_another_that_asked_the_same_was_answered(stack: Stack, double: str) -> None:
    asked = {"params": {"samples": 128, "tolerance": 0.0}, "seed": 11}
    first = stack.submit(double, "kernel_shap", ROWS, **asked)
    stack.result(first)
    second = stack.submit(double, "kernel_shap", ROWS, **asked)
    assert stack.job(second)["dedupe_of"] == first
    np.testing.assert_array_equal(*(numbers(stack.result(refined(stack, each, samples=64))) for each in (first, second)))


def test_what_cannot_be_refined(stack: Stack, double: str) -> None:
    exact = stack.submit(double, "integrated_gradients", ROWS)
    stack.result(exact)
    answer = refine(stack, exact, samples=100)
    assert (answer.status_code, answer.json()["code"]) == (422, "not_refinable")
    assert "integrated_gradients does not sample" in answer.json()["detail"]

    running = stack.submit("sluggish", "kernel_shap", [[1.0] * 12], params={"samples": 4000, "tolerance": 0.0})
    answer = refine(stack, running, samples=100)
    assert (answer.status_code, answer.json()["code"]) == (409, "job_not_finished")
    stack.http.post(f"/v1/explanations/{running}/cancel")
    assert refine(stack, running, samples=100).status_code == 409

    done = stack.submit(double, "kernel_shap", ROWS, params={"samples": 64, "tolerance": 0.0})
    stack.result(done)
    assert refine(stack, done).json()["code"] == "not_refinable"
    assert refine(stack, done, samples=10**6).json()["code"] == "invalid_parameter"
    assert refine(stack, done, samples=-1).status_code == 422
    with Redis(port=int((stack.home / "redis" / "port").read_text())) as redis:
        assert 0 < redis.ttl(key("answers", done)) <= 3600
        redis.delete(key("answers", done))
    answer = refine(stack, done, samples=64)
    assert (answer.status_code, answer.json()["code"]) == (410, "answers_gone")
    assert "params.samples 128" in answer.json()["detail"]
    stack.http.delete(f"/v1/explanations/{done}")
    assert (refine(stack, done, samples=64).status_code, refine(stack, "0" * 26, samples=64).status_code) == (410, 404)


def test_forgetting_a_job_forgets_what_it_was_answered(stack: Stack, double: str) -> None:
    done = stack.submit(double, "kernel_shap", ROWS, params={"samples": 64, "tolerance": 0.0}, seed=23)
    stack.result(done)
    with Redis(port=int((stack.home / "redis" / "port").read_text())) as redis:
        assert redis.exists(key("answers", done))
        stack.http.delete(f"/v1/explanations/{done}")
        assert not redis.exists(key("answers", done))


def test_a_running_estimate_is_published_while_the_job_runs(stack: Stack, double: str) -> None:
    asked = {"params": {"samples": 4000, "tolerance": 0.0}}
    job_id = stack.submit("sluggish", "kernel_shap", [[float(k) for k in range(12)]], **asked)
    path = f"/v1/explanations/{job_id}/partial"
    partial = until(lambda: answer.json() if (answer := stack.http.get(path)).status_code == 200 else None)
    assert stack.job(job_id)["links"]["partial"] == path
    assert (partial["id"], partial["row"], partial["rows_done"]) == (job_id, 0, 0)
    assert 0 < partial["evaluations"] < 4000
    (attribution,) = partial["explanation"]["attributions"]
    np.testing.assert_allclose(attribution["data"], [k * (1.0 + k) for k in range(12)], atol=1e-3)
    assert len(attribution["standard_error"]) == 12
    with Client(str(stack.http.base_url)) as client:
        assert client.partial(job_id)["row"] == 0
        stack.http.post(f"/v1/explanations/{job_id}/cancel")
        with pytest.raises(ServiceError) as refused:
            client.partial(job_id)
    assert (refused.value.status, refused.value.code) == (409, "no_estimate")


def test_a_deadline_ends_a_sampling_job_with_what_is_known(stack: Stack, double: str) -> None:
    """It would take 8 s a row; a method that does not sample expires as ever."""
    asked = {"params": {"samples": 4000, "tolerance": 0.0}, "deadline_s": 6.0}
    job_id = stack.submit("sluggish", "kernel_shap", [[float(k) for k in range(12)], [1.0] * 12], **asked)
    result = stack.result(job_id)
    for explanation in result["explanations"]:
        quality = explanation["quality"]
        assert quality["converged"] is False
        assert "Its deadline ended it." in quality["notes"]
        assert quality["standard_error"] is not None
    assert result["cost"]["model_evaluations"] < 4000
    exact = stack.submit("sluggish", "exact_shapley", [[1.0] * 12], deadline_s=1.0)
    assert stack.ended(exact)["status"] == "expired"


def test_a_budget_ends_a_sampling_job_with_what_is_known(stack: Stack, double: str) -> None:
    with Client(str(stack.http.base_url)) as client:
        job = client.submit(double, ROWS, "kernel_shap", budget=600, params={"tolerance": 0.0}, wait_s=20)
        first = client.result(job)
        more = client.wait(client.refine(job, wait_s=20))
    assert first.result.cost.model_evaluations <= 600
    assert all(explanation.quality.converged is False for explanation in first.explanations)
    result = stack.result(more.id)
    assert all(explanation["quality"]["converged"] is not False for explanation in result["explanations"])
