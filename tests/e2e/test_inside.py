"""Looking inside a model, over HTTP: its layers, a map, and what is refused before a worker sees it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from stacks import Stack, until

from explainery import Client
from explainery.cli.main import main

ROWS = np.random.Generator(np.random.Philox(1)).normal(size=(2, 1, 8, 8)).round(4).tolist()


@pytest.fixture
def layers(stack: Stack) -> list[dict[str, Any]]:
    """The layers of the CNN, once its trial has shown them."""
    address = "/v1/models/cnn/layers"
    until(lambda: stack.http.get(address).status_code == 200)
    found: list[dict[str, Any]] = stack.http.get(address).json()["layers"]
    return found


def test_the_layers_of_a_model(stack: Stack, layers: list[dict[str, Any]]) -> None:
    assert [(layer["path"], layer["type"]) for layer in layers[:2]] == [("0", "Conv2d"), ("1", "ReLU")]
    assert layers[0]["shape"] == [4, 8, 8]
    assert sum(layer["share"] for layer in layers) == pytest.approx(1)
    assert {"grad_cam", "layer_conductance"} <= set(layers[0]["methods"])
    assert "grad_cam" not in layers[-1]["methods"]
    listed = CliRunner().invoke(main, ["models", "layers", "cnn", "--url", str(stack.http.base_url)])
    assert listed.exit_code == 0
    assert "Conv2d" in listed.output
    with Client(str(stack.http.base_url)) as client:
        assert client.layers("cnn@1") == layers
    assert stack.http.get("/v1/models/nobody/layers").status_code == 404


def test_a_map_and_its_raw_form(stack: Stack, layers: list[dict[str, Any]]) -> None:
    result = stack.result(stack.submit("cnn", "grad_cam", ROWS, params={"layer": "2"}))
    for explanation in result["explanations"]:
        (raw,) = explanation["maps"]
        assert (raw["name"], raw["layer"], raw["shape"], raw["axes"]) == ("raw_map", "2", [8, 8], ["row", "column"])
        (drawn,) = explanation["attributions"]
        assert (drawn["input"], drawn["layer"], drawn["shape"]) == ("input", None, [1, 8, 8])
        np.testing.assert_allclose(drawn["data"], raw["data"], atol=1e-6)  # the layer is as large as the picture
        told = stack.result(stack.submit("cnn", "saliency", ROWS))["explanations"][result["explanations"].index(explanation)]
        for figure in ("instance_output", "baseline_output"):  # a look at the instance tells them, too
            assert explanation[figure] == pytest.approx(told[figure], abs=1e-5)


@pytest.mark.parametrize(
    ("method", "layer", "code", "says"),
    [
        ("grad_cam", "conv", "unknown_layer", "there are: 0, 1"),
        ("grad_cam", "6", "no_spatial_map", "Those that do: 0, 1, 2, 3"),
        ("layer_activation", "33", "unknown_layer", "no layer of that name"),
    ],
)
def test_layers_that_do_not_fit_are_refused_at_the_door(
    stack: Stack, layers: list[dict[str, Any]], method: str, layer: str, code: str, says: str
) -> None:
    body = {"model": "cnn", "method": method, "instances": ROWS, "params": {"layer": layer}}
    answer = stack.http.post("/v1/explanations", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert says in answer.json()["detail"]
    assert answer.json()["errors"][0]["loc"] == "params.layer"


def test_a_model_without_attention_does_not_offer_it(stack: Stack, layers: list[dict[str, Any]]) -> None:
    methods = stack.http.get("/v1/models/cnn").json()["versions"][0]["methods"]
    until(lambda: not stack.http.get("/v1/models/cnn").json()["versions"][0]["methods"]["attention_rollout"]["available"])
    assert methods["grad_cam"]["available"]
    body = {"model": "cnn", "method": "attention_rollout", "instances": ROWS}
    assert stack.http.post("/v1/explanations", json=body).json()["code"] == "method_unavailable"
