"""Value functions and stored backgrounds through the real service and a real worker."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from redis import Redis
from stacks import Stack

from explainery.client import Client, ServiceError
from explainery.store.keys import key

ROWS = [[1.0, 2.0, 3.0], [0.5, -1.0, 2.0]]
BACKGROUND = np.random.Generator(np.random.PCG64(2)).normal(size=(12, 3)).round(3).tolist()
WEIGHTS = np.array([1.0, 2.0, 3.0])


def attributions(result: dict[str, Any]) -> np.ndarray:
    return np.array([explanation["attributions"][0]["data"] for explanation in result["explanations"]])


def expected() -> np.ndarray:
    return WEIGHTS * (np.array(ROWS) - np.mean(BACKGROUND, axis=0))


def store(stack: Stack, rows: Any = BACKGROUND, tenant: str = "default", model: str = "linear") -> Any:
    return stack.http.post("/v1/backgrounds", json={"model": model, "rows": rows}, headers={"X-Explainery-Tenant": tenant})


def test_a_background_is_stored_once_and_used_by_its_digest(stack: Stack) -> None:
    first, again = store(stack), store(stack, {"input": BACKGROUND})
    assert (first.status_code, first.json()) == (201, again.json())
    known = first.json()["id"]
    assert known.startswith("sha256:")
    assert first.json() | {"id": ""} == {"id": "", "rows": 12, "shapes": {"input": [3]}}
    assert stack.http.get(first.headers["Location"]).json() == first.json()
    assert known in stack.http.get("/v1/backgrounds").json()["backgrounds"]
    result = stack.result(stack.submit("linear", "kernel_shap", ROWS, baseline={"background": {"id": known}}))
    assert result["value_function"] == "marginal"
    np.testing.assert_allclose(attributions(result), expected(), atol=1e-6)
    inline = stack.submit("linear", "kernel_shap", ROWS, baseline={"background": BACKGROUND})
    assert stack.job(inline)["dedupe_of"] is not None  # the same question


def test_use_keeps_it_longer(stack: Stack) -> None:
    known = store(stack, BACKGROUND[:5]).json()["id"]
    name = key("background", f"default:{known.removeprefix('sha256:')}")
    with Redis(port=int((stack.home / "redis" / "port").read_text())) as redis:
        redis.expire(name, 100)
        stack.result(stack.submit("linear", "kernel_shap", ROWS, baseline={"background": {"id": known}}))
        assert redis.ttl(name) > 29 * 86400


def test_a_tenant_sees_its_own(stack: Stack) -> None:
    theirs = store(stack, BACKGROUND[:4], tenant="theirs").json()["id"]
    assert theirs not in stack.http.get("/v1/backgrounds").json()["backgrounds"]
    for method in ("get", "delete"):
        answer = getattr(stack.http, method)(f"/v1/backgrounds/{theirs}")
        assert (answer.status_code, answer.json()["code"]) == (404, "background_not_found")
    body = {"model": "linear", "method": "kernel_shap", "instances": ROWS, "baseline": {"background": {"id": theirs}}}
    refused = stack.post(body)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_baseline")
    accepted = stack.http.post("/v1/explanations", json=body, headers={"X-Explainery-Tenant": "theirs"})
    assert accepted.status_code == 202


def test_forgotten_it_is_gone_and_jobs_go_on(stack: Stack) -> None:
    with Client(str(stack.http.base_url)) as client:
        known = client.store_background("linear", np.array(BACKGROUND[:6]))
        assert client.background(known)["rows"] == 6
        assert known in client.backgrounds()
        job = client.submit("linear", ROWS, "kernel_shap", baseline={"background": {"id": known}}, seed=3)
        client.forget_background(known)
        assert client.wait(job).status == "succeeded"
        assert known not in client.backgrounds()
        with pytest.raises(ServiceError) as gone:
            client.background(known)
    assert gone.value.status == 404


def test_what_cannot_be_stored(stack: Stack) -> None:
    for rows, code in (([[1.0, 2.0]], "invalid_input"), ([], "invalid_input"), ([["a", "b", "c"]], "invalid_input")):
        answer = store(stack, rows)
        assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert store(stack, model="nobody").status_code in (404, 422)
    other = store(stack, [[1.0, 2.0, 3.0, 4.0]], model="table").json()["id"]
    body = {"model": "linear", "method": "kernel_shap", "instances": ROWS, "baseline": {"background": {"id": other}}}
    assert stack.post(body).json()["code"] == "invalid_baseline"


def test_conditional_and_summarised_over_http(stack: Stack) -> None:
    conditional = {"background": BACKGROUND, "conditional": {"neighbours": 4}}
    result = stack.result(stack.submit("linear", "exact_shapley", ROWS, baseline=conditional))
    assert result["value_function"] == "conditional"
    total = attributions(result).sum(axis=1)
    np.testing.assert_allclose(total, expected().sum(axis=1), atol=1e-6)
    assert np.abs(attributions(result) - expected()).max() > 0.05
    summarised = {"background": BACKGROUND, "summarise": 5}
    result = stack.result(stack.submit("linear", "exact_shapley", ROWS, baseline=summarised))
    assert result["value_function"] == "marginal"
    np.testing.assert_allclose(attributions(result), expected(), atol=1e-6)  # of a linear model: means are kept
    assert result["cost"]["model_evaluations"] <= 2 * (6 * 5 + 1 + 5)


@pytest.mark.parametrize(
    ("method", "beside", "code"),
    [
        ("integrated_gradients", {"conditional": {"neighbours": 2}}, "method_unavailable"),
        ("expected_gradients", {"conditional": {"neighbours": 2}}, "method_unavailable"),
        ("kernel_shap", {"conditional": {"neighbours": 13}}, "invalid_baseline"),
        ("kernel_shap", {"conditional": {"neighbours": True}}, "invalid_baseline"),
        ("kernel_shap", {"conditional": 3}, "invalid_baseline"),
        ("kernel_shap", {"summarise": 0}, "invalid_baseline"),
        ("kernel_shap", {"summarise": 3, "conditional": {"neighbours": 2}}, "invalid_baseline"),
        ("kernel_shap", {"other": 3}, "invalid_baseline"),
    ],
)
def test_what_is_refused_at_the_door(stack: Stack, method: str, beside: dict[str, Any], code: str) -> None:
    body = {"model": "linear", "method": method, "instances": ROWS, "baseline": {"background": BACKGROUND, **beside}}
    answer = stack.post(body)
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert stack.post({**body, "baseline": {"value": 1.0, **beside}}).json()["code"] == "invalid_baseline"


def test_what_looks_inside_takes_no_weighted_background(stack: Stack) -> None:
    body = {"model": "table", "method": "deep_lift_shap", "instances": [[1.0, 2.0, 3.0, 4.0]]}
    background = {"background": [[0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]], "summarise": 1}
    assert stack.post({**body, "baseline": background}).json()["code"] == "method_unavailable"
