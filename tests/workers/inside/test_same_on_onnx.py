"""The same job on the exported file and on its source gives the same answer: 1e-4 of the largest value."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import repos
import torch
from numpy.typing import NDArray
from torch import nn
from zoo.exports import DYNAMO, exported

from explainery.settings import load
from workers.local import Local, Order
from workers.runtimes.onnx import model as onnx_model

from .conftest import MODELS

Rows = Callable[..., NDArray[Any]]
EXPORTS = {"script": (False, 17), "dynamo": (True, 20)}
FILES = ["vgg", "resnet", "lstm", "encoder", "bert", "vit"]
CASES = {
    "integrated_gradients": ["vgg", "resnet", "lstm", "encoder", "vit"],
    "saliency": ["vgg", "resnet", "lstm", "encoder", "vit"],
    "grad_cam": ["vgg", "resnet"],
    "hires_cam": ["vgg"],
    "score_cam": ["vgg"],
    "eigen_cam": ["resnet"],
    "guided_backprop": ["vgg", "resnet"],
    "deconvolution": ["vgg"],
    "deep_lift": ["vgg", "resnet"],
    "lrp": ["vgg", "resnet"],
    "attention_weights": ["encoder", "bert", "vit"],
    "attention_rollout": ["bert", "vit"],
    "attention_gradient": ["encoder", "bert", "vit"],
}


@pytest.fixture(scope="module")
def file_lab(tmp_path_factory: pytest.TempPathFactory, module: Callable[[str], nn.Module], rows: Rows) -> Local:
    """Every model as a file of both exporters."""
    folder = tmp_path_factory.mktemp("files")
    torch.backends.mha.set_fastpath_enabled(False)  # the exporters cannot write it down
    for name in FILES:
        for exporter, (dynamo, opset) in EXPORTS.items():
            if dynamo and not DYNAMO:
                continue
            content = exported(module(name), {"input": rows(name, 2)}, opset, dynamo=dynamo)
            _, _, table, columns = MODELS[name]
            card = f'title = "{name}"\nformat = "onnx"\nfile = "model.onnx"\n{table}{repos.output(columns)}'
            repos.write(folder, f"{name}-{exporter}", card, {"model.onnx": content})
    torch.backends.mha.set_fastpath_enabled(True)
    return Local(dataclasses.replace(load({}), models=str(folder), device="cpu", threads=1))


@pytest.mark.parametrize("exporter", EXPORTS)
@pytest.mark.parametrize(("method", "model"), [(method, model) for method, models in CASES.items() for model in models])
def test_the_same_answer(inner_lab: Local, file_lab: Local, rows: Rows, method: str, model: str, exporter: str) -> None:
    order = Order(method, {"input": rows(model)}, {}, target=1)
    _, expected = inner_lab.explain(model, order)
    _, found = file_lab.explain(f"{model}-{exporter}", order)
    kinds = ("maps.attention", "maps.tokens", "maps.relevance", "attributions")
    compared = [key for key in expected if key.startswith(kinds)]
    assert compared
    for key in compared:
        assert np.abs(found[key] - expected[key]).max() <= 1e-4 * np.abs(expected[key]).max(), key


@pytest.mark.parametrize("exporter", EXPORTS)
@pytest.mark.parametrize(
    ("model", "layers"),
    [
        ("vgg", ["conv2", "relu2", "pool2", "dense1"]),
        ("resnet", ["block1", "block2.relu", "pool"]),
        ("bert", ["layers.0", "layers.1.norm1"]),
        ("vit", ["layers.0.attention", "layers.1"]),
        ("encoder", ["encoder.layers.0.norm1"]),
    ],
)
def test_layers_have_the_source_s_names(
    inner_lab: Local, file_lab: Local, rows: Rows, model: str, layers: list[str], exporter: str
) -> None:
    specs = {spec.path: spec for spec in file_lab.load(f"{model}-{exporter}").model.layers}  # type: ignore[attr-defined]
    for layer in layers:
        name = layer
        assert layer in specs
        source = layer if layer != "block2.relu" else "block2.relu#1"
        params = [{"layer": name}, {"layer": source}]
        orders = [Order("layer_gradient_x_activation", {"input": rows(model)}, each, target=1) for each in params]
        _, found = file_lab.explain(f"{model}-{exporter}", orders[0])
        _, expected = inner_lab.explain(model, orders[1])
        mine, other = found[f"attributions.{name}"], expected[f"attributions.{source}"]
        assert np.abs(mine - other).max() <= 1e-4 * np.abs(other).max()


def test_the_part_before_a_layer_is_left_to_onnx_runtime(file_lab: Local, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at one layer asks torch for the steps after it only, a residual path around it included."""
    computed: list[str] = []
    original = onnx_model.Hybrid.run

    def counting(self: Any, inputs: Any, taps: Any, mode: Any = None) -> Any:
        enter = self._net.enter
        monkeypatch.setattr(self._net, "enter", lambda step: (computed.append(step.label), enter(step)))
        return original(self, inputs, taps, mode)

    monkeypatch.setattr(onnx_model.Hybrid, "run", counting)
    file_lab.explain("resnet-script", Order("grad_cam", {"input": rows("resnet")}, {"layer": "block2.conv2"}, target=1))
    assert computed
    assert "Conv" not in computed
    assert computed.count("Add") == 1
