"""Quality checks over HTTP: from the request's field to the figures in the result."""

from __future__ import annotations

import numpy as np
from stacks import Stack

from explainery import Client

ROWS = np.random.Generator(np.random.Philox(4)).normal(size=(2, 1, 8, 8)).round(4).tolist()
FEW = [
    {"check": "deletion", "samples": 60, "orders": 5},
    "infidelity",
    {"check": "max_sensitivity", "runs": 1},
    {"check": "randomisation", "runs": 2},
    "stability",
]


def test_every_check_in_one_job(stack: Stack) -> None:
    with Client(str(stack.http.base_url)) as client:
        plain = client.explain("cnn", ROWS, method="integrated_gradients", target="b")
        outcome = client.explain("cnn", ROWS, method="integrated_gradients", target="b", quality=FEW)
    assert outcome.result.cost.model_evaluations >= plain.result.cost.model_evaluations + 2 * (50 + 192)
    assert outcome.result.cost.gradient_evaluations >= 3 * plain.result.cost.gradient_evaluations
    np.testing.assert_allclose(outcome.attributions["input"], plain.attributions["input"], atol=1e-6)
    for explanation in outcome.result.explanations:
        checks = explanation.quality.checks
        assert checks is not None
        assert set(checks) == {"deletion", "infidelity", "max_sensitivity", "randomisation", "stability"}
        assert len(checks["deletion"]["curve"]) == len(checks["deletion"]["share"]) > 2
        assert checks["randomisation"]["shuffled"][-1] > checks["randomisation"]["shuffled"][0]
        assert bool(explanation.quality.notes) or explanation.quality.verdict == "pass"


def test_progress_counts_the_checks(stack: Stack) -> None:
    body = {"model": "linear", "method": "kernel_shap", "instances": [[1.0, 2.0, 3.0]], "target": 0, "quality": ["infidelity"]}
    job = stack.ended(stack.post(body).json()["id"])
    assert job["status"] == "succeeded"
    assert job["progress"]["done"] >= 2 + 6 + 6


def test_what_cannot_be_is_refused_at_the_door(stack: Stack) -> None:
    body = {"model": "linear", "instances": [[1.0, 2.0, 3.0]], "target": 0}
    for method, quality, code in (
        ("kernel_shap", ["randomisation"], "check_unavailable"),
        ("predict", ["deletion"], "check_unavailable"),
        ("kernel_shap", ["nothing"], "unknown_check"),
        ("kernel_shap", [{"check": "deletion", "samples": "7"}], "invalid_parameter"),
    ):
        answer = stack.post({**body, "method": method, "quality": quality})
        assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_the_same_question_without_checks_is_another(stack: Stack) -> None:
    body = {"model": "linear", "method": "kernel_shap", "instances": [[7.0, 2.0, 3.0]], "target": 0}
    first = stack.post(body).json()["id"]
    stack.ended(first)
    other = stack.ended(stack.post({**body, "quality": ["infidelity"]}).json()["id"])
    same = stack.ended(stack.post({**body, "quality": ["infidelity"]}).json()["id"])
    assert other["dedupe_of"] is None
    assert same["dedupe_of"] == other["id"]
