"""A model explained from afar has the explanation that it has here: the same ONNX file, served by another process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import repos
from far_sides import FarSide, add_remote, lab_over
from onnx import helper

from explainery.contract.errors import MethodUnavailable
from workers.local import Local, Order

FEATURES, COLUMNS = 10, 3
FORMS: dict[str, dict[str, Any]] = {
    "json": {},
    "binary": {"binary": True},
    "v1": {"protocol": "v1"},
    "small-batches": {"binary": True, "batch": 7, "concurrency": 3},
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """Both: `here` by ONNX Runtime in this process, and the same file far away in each form."""
    folder = tmp_path_factory.mktemp("same")
    rng = np.random.Generator(np.random.Philox(7))
    weights = {"w": rng.normal(size=(FEATURES, 16)), "b": rng.normal(size=16), "v": rng.normal(size=(16, COLUMNS))}
    nodes = [
        helper.make_node("MatMul", ["input", "w"], ["mixed"]),
        helper.make_node("Add", ["mixed", "b"], ["shifted"]),
        helper.make_node("Tanh", ["shifted"], ["hidden"]),
        helper.make_node("MatMul", ["hidden", "v"], ["score"]),
    ]
    inputs, outputs = repos.tensor_input("input", [FEATURES]), repos.output(COLUMNS)
    floats = {name: array.astype(np.float32) for name, array in weights.items()}
    shapes = {"input": ["n", FEATURES], "score": ["n", COLUMNS]}
    place = repos.add_onnx(folder / "models", "here", nodes, floats, inputs, outputs, **shapes)
    server = FarSide(folder, net=place / "model.onnx").start()
    for form, remote in FORMS.items():
        add_remote(folder / "models", form, server.url, inputs, outputs, model="net", **remote)
    yield lab_over(folder / "models")
    server.kill()


ROWS = np.random.Generator(np.random.Philox(8)).normal(size=(4, FEATURES)).astype(np.float32)
METHODS: dict[str, dict[str, Any]] = {"kernel_shap": {"samples": 200}, "exact_shapley": {}, "feature_ablation": {}}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", METHODS)
def test_the_explanation_is_the_local_one(lab: Local, form: str, method: str) -> None:
    order = Order(method, {"input": ROWS}, METHODS[method], seed=3)
    here, local = lab.explain("here", order)
    far, remote = lab.explain(form, order)
    assert set(local) == set(remote)
    for name in local:
        np.testing.assert_allclose(remote[name], local[name], atol=1e-6, rtol=0)
    assert far.model.runtime == "remote"
    assert [row.target for row in far.explanations] == [row.target for row in here.explanations]
    assert far.environment["remote_model"] == "net"


def test_what_needs_gradients_is_refused_by_name(lab: Local) -> None:
    with pytest.raises(MethodUnavailable, match="no gradients"):
        lab.explain("json", Order("saliency", {"input": ROWS}, {}))
