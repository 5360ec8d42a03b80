"""A job that goes on from another is estimated and refused like one that is submitted, for what it asks in addition."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from explainery.contract.calls import Calls
from explainery.contract.tensors import pack
from explainery.store.beside import Beside
from service.app import create_app

ROWS = [[1.0, 2.0, 0.0, 3.0]] * 3
CALLS = Calls(values="samples - 2", adaptive="tolerance > 0", least="4")


@pytest.fixture
def offer(offer: Any) -> Any:
    """Kernel SHAP, that says what it asks."""
    methods = tuple(spec.model_copy(update={"calls": CALLS}) if spec.name == "kernel_shap" else spec for spec in offer.methods)
    return offer.model_copy(update={"methods": methods})


@pytest.fixture
def bounded(settings: Any, worker: Any) -> Iterator[FlaskClient]:
    """An API where a job may cost 200 evaluations."""
    app = create_app(dataclasses.replace(settings, max_evaluations=200))
    yield app.test_client()
    app.extensions["explainery"].watcher.close()
    app.extensions["explainery"].hub.close()


def done(client: FlaskClient, worker: Any, settings: Any, samples: int = 50, **more: Any) -> str:
    """A job that has succeeded, and whose answers are kept: 48 of each row, as a worker leaves them."""
    asked = {"model": "loan", "instances": ROWS, "method": "kernel_shap", "params": {"samples": samples, "tolerance": 0.0}}
    job = client.post("/v1/explanations", json=asked | more).json
    worker.succeed(worker.take())
    about = {"code": "0.1.0", "evaluations": [samples - 2] * 3}
    known = {"known/about": np.frombuffer(json.dumps(about).encode(), np.uint8), "known/numbers": np.zeros(144)}
    Beside(worker.redis, settings).keep_answers(job["id"], pack(known))
    return f"/v1/explanations/{job['id']}/refine"


def test_it_carries_an_estimate_of_what_is_new(client: FlaskClient, worker: Any, settings: Any) -> None:
    job = client.post(done(client, worker, settings), json={"samples": 30}).json
    told = job["estimate"]
    assert told["model_evaluations"] == {"at_most": 3 * 80, "expected": 3 * 30, "least": 0, "exact": False}
    assert told["gradient_evaluations"]["at_most"] == 0
    assert (told["shape"], told["memory_bytes"] > 0) == ("row:4", True)
    assert client.get(job["links"]["self"]).json["estimate"] == told


def test_a_budget_counts_the_new_evaluations(client: FlaskClient, worker: Any, settings: Any) -> None:
    refine = done(client, worker, settings)
    assert client.post(refine, json={"samples": 30, "budget": 1}).status_code == 202, "it can end with what is known"
    assert worker.take().spec.budget == 1


def test_the_operators_bound_is_its_budget_too(bounded: FlaskClient, worker: Any, settings: Any) -> None:
    refine = done(bounded, worker, settings)
    assert bounded.post(refine, json={"samples": 5000}).status_code == 202
    assert worker.take().spec.budget == 200
    assert bounded.post(refine, json={"samples": 5000, "budget": 7}).status_code == 202
    assert worker.take().spec.budget == 7


def test_what_the_operators_bound_does_not_pay_for_is_refused(
    settings: Any, worker: Any, client: FlaskClient, offer: Any
) -> None:
    frames = 3 * (1 + 1)
    methods = tuple(
        spec.model_copy(update={"one_baseline": True}) if spec.name == "kernel_shap" else spec for spec in offer.methods
    )
    worker.offer = offer.model_copy(update={"methods": methods})
    worker.announce()
    refine = done(client, worker, settings)
    app = create_app(dataclasses.replace(settings, max_evaluations=frames - 1))
    answer = app.test_client().post(refine, json={"samples": 30})
    app.extensions["explainery"].watcher.close()
    assert (answer.status_code, answer.json["code"]) == (422, "over_budget")
    assert answer.json["estimate"]["model_evaluations"]["least"] == frames
    assert "what a job may cost here is 5" in answer.json["detail"]
    asked = client.post(refine, json={"samples": 30, "budget": frames - 1})
    assert (asked.json["code"], "its budget is 5" in asked.json["detail"]) == ("over_budget", True)
    assert client.post(refine, json={"samples": 30, "budget": frames}).status_code == 202


def test_a_submit_has_the_bound_as_its_budget_where_it_might_take_more(bounded: FlaskClient, worker: Any) -> None:
    asked = {"model": "loan", "instances": ROWS, "method": "kernel_shap", "params": {"samples": 60, "tolerance": 0.0}}
    assert bounded.post("/v1/explanations", json=asked).status_code == 202
    assert worker.take().spec.budget is None, "180 evaluations, and 200 are allowed"
    for more, budget in (({}, 200), ({"budget": 1000, "seed": 1}, 200), ({"budget": 150, "seed": 2}, 150)):
        asked["params"]["samples"] = 100_000  # type: ignore[index]
        assert bounded.post("/v1/explanations", json=asked | more).status_code == 202
        assert worker.take().spec.budget == budget
