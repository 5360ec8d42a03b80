"""Methods that answer for a whole job, over HTTP."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from safetensors.numpy import load as load_safetensors
from stacks import Stack, until

from explainery import Client

ROWS = np.random.Generator(np.random.Philox(1)).normal(size=(25, 1, 8, 8)).round(4).tolist()
SETS = ["example"] * 5 + ["one"] * 5 + ["random/0"] * 5 + ["random/1"] * 5 + ["random/2"] * 5


def test_a_picture_in_every_form(stack: Stack) -> None:
    job_id = stack.submit("cnn", "activation_maximization", ROWS[:3], target="b", params={"steps": 12}, seed=5)
    result = stack.result(job_id)
    assert result["explanations"] == []
    assert result["report"]["objective"]["label"] == "b"
    picture = next(each for each in result["maps"] if each["name"] == "picture")
    assert (picture["shape"], picture["axes"]) == ([1, 8, 8], ["channel", "row", "column"])
    assert len(picture["data"]) == 64
    assert stack.job(job_id)["progress"] == {"done": 3 + 12 + 1 + 4, "total": 20, "unit": "gradient_evaluations"}
    address = f"/v1/explanations/{job_id}/result"
    tensors = load_safetensors(stack.http.get(address, headers={"Accept": "application/vnd.safetensors"}).content)
    np.testing.assert_allclose(tensors["maps.picture"].reshape(-1), picture["data"], rtol=1e-6)
    with np.load(io.BytesIO(stack.http.get(address, headers={"Accept": "application/x-npz"}).content)) as archive:
        np.testing.assert_array_equal(archive["maps.picture"], tensors["maps.picture"])
        assert json.loads(str(archive["result"]))["report"] == result["report"]


def test_a_report_by_the_client(stack: Stack) -> None:
    with Client(str(stack.http.base_url)) as client:
        result = client.explain("cnn", ROWS, method="layer_report")
    assert result.explanations == ()
    assert result.report is not None
    assert result.report["rows"] == 25
    assert [layer["type"] for layer in result.report["layers"]][:2] == ["Conv2d", "ReLU"]
    assert result.report["findings"] == []


def test_concepts(stack: Stack) -> None:
    result = stack.result(stack.submit("cnn", "tcav", ROWS, target="a", params={"sets": SETS, "layer": "3"}))
    (concept,) = result["report"]["concepts"]
    assert concept["concept"] == "one"
    assert concept["significant"] is False
    assert "not significant" in concept["text"]


def refused(stack: Stack, **body: Any) -> tuple[int, str]:
    answer = stack.post({"model": "cnn", "target": "a", **body})
    return answer.status_code, answer.json()["code"]


def test_what_is_refused_at_the_door(stack: Stack) -> None:
    assert refused(stack, method="tcav", instances=ROWS[:9], params={"sets": SETS[:9]}) == (422, "concept_set_too_small")
    assert refused(stack, method="tcav", instances=ROWS[:9], params={"sets": SETS}) == (422, "invalid_parameter")
    assert refused(stack, method="layer_report", model="linear", instances=[[1, 2, 3]], target=None) == (
        422,
        "method_unavailable",
    )


def test_a_layer_that_is_not_there(stack: Stack) -> None:
    until(lambda: stack.http.get("/v1/models/cnn/layers").status_code == 200)
    body = {"method": "activation_maximization", "instances": ROWS[:3]}
    assert refused(stack, **body, params={"layer": "9", "unit": 0}) == (422, "unknown_layer")


def test_what_only_the_worker_can_tell(stack: Stack) -> None:
    for params, code in (({"unit": 0}, "invalid_parameter"), ({"layer": "0", "unit": 4}, "invalid_parameter")):
        job = stack.ended(stack.submit("cnn", "activation_maximization", ROWS[:3], target="a", params=params))
        assert (job["status"], job["error"]["code"]) == ("failed", code)


def test_a_whole_job_is_canceled_and_expires(stack: Stack) -> None:
    long = {"steps": 100_000, "starts": 8}
    canceled = stack.submit("cnn", "activation_maximization", ROWS[:3], target="a", params=long)
    until(lambda: (stack.job(canceled)["progress"] or {"done": 0})["done"] > 0)
    assert stack.http.post(f"/v1/explanations/{canceled}/cancel").status_code == 200
    expired = stack.ended(stack.submit("cnn", "activation_maximization", ROWS[:3], target="a", params=long, deadline_s=0.5))
    assert (expired["status"], expired["error"]["code"]) == ("expired", "deadline_exceeded")
    assert stack.ended(stack.submit("cnn", "layer_report", ROWS[:2], target="a"), within_s=10)["status"] == "succeeded"


def test_figures_of_reports(stack: Stack) -> None:
    """The picture with what it was made for and the score it reached; the layers with their findings."""
    picture = stack.submit("cnn", "activation_maximization", ROWS[:3], target="b", params={"steps": 4})
    score = stack.result(picture)["report"]["score"]
    drawn = stack.http.get(f"/v1/explanations/{picture}/figures/picture.json").json()
    assert "b" in drawn["title"]
    assert f"{score:.3g}"[:4] in drawn["reading"]
    report = stack.submit("cnn", "layer_report", ROWS, target="a")
    layers = stack.result(report)["report"]["layers"]
    table = stack.http.get(f"/v1/explanations/{report}/figures/auto.json").json()["table"]
    norms = [row[table["columns"].index("gradient_norm")] for row in table["rows"]]
    assert norms == [layer["gradient_norm"] for layer in layers]
    assert stack.http.get(f"/v1/explanations/{report}/figures/layers.svg").status_code == 200
