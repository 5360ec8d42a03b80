"""What a job would cost, over HTTP: told before it enters, carried by the job, and a reason to refuse it."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from explainery.contract.calls import Calls
from explainery.contract.estimate import Run
from explainery.contract.job import ModelRef
from explainery.store.runs import Kind, RunStore

CALLS = {
    "kernel_shap": Calls(values="samples - 2", adaptive="tolerance > 0", least="4"),
    "exact_shapley": Calls(values="2 ** players - 2"),
    "occlusion": Calls(values="windows"),
    "integrated_gradients": Calls(gradients="max_steps", adaptive="tolerance > 0", least="16"),
    "report": Calls(values="rows"),
}
ROWS = [[1.0, 2.0, 0.0, 3.0]] * 3


@pytest.fixture
def offer(offer: Any) -> Any:
    """The same methods, that say what they ask."""
    methods = tuple(spec.model_copy(update={"calls": CALLS.get(spec.name)}) for spec in offer.methods)
    return offer.model_copy(update={"methods": methods})


def estimated(client: FlaskClient, method: str, model: str = "loan", **more: Any) -> dict[str, Any]:
    answer = client.post("/v1/explanations:estimate", json={"model": model, "method": method, "instances": ROWS, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def submit(client: FlaskClient, **more: Any) -> Any:
    return client.post("/v1/explanations", json={"model": "loan", "instances": ROWS, "method": "exact_shapley", **more})


@pytest.mark.parametrize(
    ("method", "more", "values", "gradients"),
    [
        ("exact_shapley", {}, 3 * (14 + 2), 0),
        ("exact_shapley", {"baseline": {"background": ROWS + ROWS[:1]}}, 3 * (14 * 4 + 1 + 4), 0),
        (
            "exact_shapley",
            {"baseline": {"background": ROWS + ROWS[:1], "conditional": {"neighbours": 2}}},
            3 * (14 * 2 + 1 + 4),
            0,
        ),
        ("exact_shapley", {"baseline": {"background": [*ROWS, [1.0] * 4], "summarise": 2}}, 3 * (14 * 2 + 1 + 2), 0),
        ("occlusion", {}, 3 * (4 + 2), 0),
        ("kernel_shap", {"params": {"samples": 30, "tolerance": 0.0}}, 3 * 30, 0),
        ("integrated_gradients", {"params": {"max_steps": 20, "tolerance": 0.0}}, 3 * 2, 3 * 20),
        ("report", {}, 3, 0),
    ],
)
def test_calls_are_exact(client: FlaskClient, method: str, more: Any, values: int, gradients: int) -> None:
    told = estimated(client, method, **more)["estimate"]
    least = 3 * 4 if method == "kernel_shap" else values  # a budget may end it at four samples a row
    assert told["model_evaluations"] == {"at_most": values, "expected": values, "least": least, "exact": True}
    assert told["gradient_evaluations"] == {"at_most": gradients, "expected": gradients, "least": gradients, "exact": True}


def test_where_answers_decide_there_is_a_bound(client: FlaskClient) -> None:
    told = estimated(client, "kernel_shap", params={"samples": 100})["estimate"]["model_evaluations"]
    assert (told["at_most"], told["least"], told["exact"]) == (300, 3 * 4, False)
    assert told["least"] < told["expected"] < told["at_most"]


def test_what_only_a_worker_can_tell_is_said_to_be_a_guess(client: FlaskClient) -> None:
    told = estimated(client, "kernel_shap", model="words", instances=["some words"])["estimate"]["model_evaluations"]
    assert (told["at_most"] is None, told["exact"]) == (False, False)  # samples bound it, whatever the players
    told = estimated(client, "occlusion", model="words", instances=["some words"])["estimate"]["model_evaluations"]
    assert (told["at_most"], told["exact"]) == (None, False)


def test_nothing_enters(client: FlaskClient, job_keys: Any) -> None:
    estimated(client, "exact_shapley")
    assert job_keys() == []


def test_the_job_carries_what_was_estimated(client: FlaskClient) -> None:
    told = estimated(client, "exact_shapley")["estimate"]
    job = submit(client).json
    assert job["estimate"]["model_evaluations"] == told["model_evaluations"]
    assert client.get(f"/v1/explanations/{job['id']}").json["estimate"] == job["estimate"]


def test_bad_input_is_refused_as_it_is_at_the_door(client: FlaskClient) -> None:
    answer = client.post("/v1/explanations:estimate", json={"model": "loan", "method": "exact_shapley", "instances": [[1]]})
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_input")


def test_seconds_are_learned(client: FlaskClient, worker: Any) -> None:
    assert estimated(client, "exact_shapley")["estimate"]["seconds_from"] == "prior"
    learn(worker, 1.0)
    told = estimated(client, "exact_shapley", model="loan@1")["estimate"]
    assert (told["seconds_from"], told["runs"]) == ("method", 6)
    assert told["seconds"] == pytest.approx(1.0, rel=0.2)


def learn(worker: Any, seconds: float) -> None:
    runs = RunStore(worker.redis)
    kind = Kind(ModelRef(name="loan", version="1", digest=f"sha256:{1:064x}"), "cpu", "exact_shapley", "row:4")
    for _ in range(6):
        runs.note(kind, Run(values=48, gradients=0, rows=3, seconds=seconds))
    runs.send()


def test_over_its_budget_a_job_is_refused_with_the_estimate(client: FlaskClient, job_keys: Any) -> None:
    answer = submit(client, budget=47)
    assert (answer.status_code, answer.json["code"]) == (422, "over_budget")
    assert answer.json["estimate"]["model_evaluations"]["expected"] == 48
    assert answer.json["errors"][0]["loc"] == "budget"
    assert job_keys() == []
    assert estimated(client, "exact_shapley", budget=47)["over_budget"] == answer.json["detail"]
    assert submit(client, budget=48).status_code == 202


def test_a_method_that_can_stop_early_is_held_against_its_least(client: FlaskClient) -> None:
    assert submit(client, method="kernel_shap", budget=12).status_code == 202
    assert submit(client, method="kernel_shap", budget=11).json["code"] == "over_budget"


def test_a_deadline_that_is_hopeless_is_refused_once_that_is_known(
    client: FlaskClient, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explainery.store.runs.FRESH_S", 0.0)
    assert submit(client, model="loan@1", deadline_s=0.1).status_code == 202
    learn(worker, 10.0)
    assert submit(client, model="loan@1", deadline_s=8.0, seed=1).status_code == 202  # it may try
    refused = client.post("/v1/explanations", json={"model": "loan@1", "instances": ROWS * 2, "method": "exact_shapley",
                                                    "deadline_s": 0.1})  # fmt: skip
    assert (refused.status_code, refused.json["code"], refused.json["errors"][0]["loc"]) == (422, "over_budget", "deadline_s")


def test_what_a_tenant_may_ask_is_the_operators_to_say(settings: Any, worker: Any) -> None:
    import dataclasses

    from service.app import create_app

    app = create_app(dataclasses.replace(settings, max_evaluations=40))
    answer = submit(app.test_client(), budget=1000)
    app.extensions["explainery"].watcher.close()
    assert (answer.status_code, answer.json["code"]) == (422, "over_budget")
    assert "40" in answer.json["detail"]
