"""A PyTorch model's values are answered by its ONNX twin, once it has earned one; the answers stay the same."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import repos
from repos import output, tensor_input

from explainery.settings import load
from workers.local import Local, Order

IMAGE = {"input": np.random.default_rng(0).normal(size=(2, 1, 8, 8)).astype(np.float32)}
ROW = {"input": np.array([[1.0, -2.0, 0.5]], dtype=np.float32)}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Start a lab whose models earn their twins after so many seconds; the process that makes them reads the environment."""
    models = tmp_path / "models"
    image = tensor_input("input", [1, 8, 8], modality="image", layout="NCHW")
    repos.add_torch(models, "cnn", "nets:cnn", {}, image, output(4))
    repos.add_torch(models, "branching", "nets:branching", {}, tensor_input("input", [3]), output(1))
    repos.add_torch(models, "linear", "nets:linear", {"features": 3}, tensor_input("input", [3]), output(1))
    repos.add_onnx_linear(models, "other", np.array([[5.0], [0.0], [0.0]]))
    labs: list[Local] = []

    def start(after_s: float) -> Local:
        for name, value in {"MODELS": models, "HOME": tmp_path, "FACTORIES": "nets", "DEVICE": "cpu", "THREADS": 1}.items():
            monkeypatch.setenv(f"EXPLAINERY_{name}", str(value))
        monkeypatch.setenv("PYTHONPATH", str(Path(repos.__file__).parent), prepend=":")
        labs.append(Local(dataclasses.replace(load(), twin_after_s=after_s)))
        return labs[-1]

    yield start
    for one in labs:
        one.models.stop()


def made(lab: Local) -> Path:
    """What came of the making."""
    deadline = time.monotonic() + 120
    while not (files := [*(lab.settings.home / "twins").glob("*.onnx"), *(lab.settings.home / "twins").glob("*.json")]):
        assert time.monotonic() < deadline, (lab.settings.home / "twins.log").read_text()
        time.sleep(0.05)
    return files[0]


def test_the_twin_answers_values_and_gradients_stay(lab: Any) -> None:
    one = lab(0.0)
    orders = [Order("occlusion", IMAGE, {}), Order("saliency", IMAGE, {})]
    before = [one.explain("cnn", order) for order in orders]
    assert before[0][0].environment["onnxruntime"] is None
    one.load("cnn")
    assert made(one).suffix == ".onnx"
    plain = one.models.footprint
    after = [one.explain("cnn", order) for order in orders]
    assert after[0][0].environment["onnxruntime"]
    assert one.models.footprint.host > plain.host
    for (_, old), (_, new) in zip(before, after, strict=True):
        for name in old:
            np.testing.assert_allclose(new[name], old[name], rtol=0, atol=1e-5)
    again = lab(10.0)  # another worker of this host: the twin is there already
    again.load("cnn")
    assert again.explain("cnn", orders[0])[0].environment["onnxruntime"]


def test_a_model_whose_path_depends_on_its_input_goes_without(lab: Any) -> None:
    one = lab(0.0)
    order = Order("feature_ablation", ROW, {})
    before = one.explain("branching", order)
    one.load("branching")
    refusal = made(one)
    assert refusal.suffix == ".json"
    after = one.explain("branching", order)
    assert after[0].environment["onnxruntime"] is None
    np.testing.assert_array_equal(after[1]["attributions.input"], before[1]["attributions.input"])


@pytest.mark.parametrize("after_s", [-1.0, 1e6])
def test_nothing_is_made_before_it_is_earned(lab: Any, after_s: float) -> None:
    one = lab(after_s)
    for _ in range(3):
        one.explain("cnn", Order("occlusion", IMAGE, {}))
    assert not (one.settings.home / "twins").exists()


def test_a_file_that_was_cut_short_is_left_alone(lab: Any) -> None:
    one = lab(10.0)
    digest = one.load("cnn").ref.digest
    (folder := one.settings.home / "twins").mkdir()
    (folder / f"{digest.replace(':', '-')}.onnx").write_bytes(b"half a twin")
    assert one.explain("cnn", Order("occlusion", IMAGE, {}))[0].environment["onnxruntime"] is None


def test_a_twin_of_what_the_model_was_before_is_not_adopted(lab: Any) -> None:
    """The digest covers card and files; the factory's code may have changed under it."""
    one = lab(10.0)
    loaded, other = one.load("linear"), one.settings.home / "models" / "other" / "1" / "model.onnx"
    before = one.explain("linear", Order("feature_ablation", ROW, {}))[1]["attributions.input"]
    (folder := one.settings.home / "twins").mkdir()
    (folder / f"{loaded.ref.digest.replace(':', '-')}.onnx").write_bytes(other.read_bytes())
    result, arrays = one.explain("linear", Order("feature_ablation", ROW, {}))
    assert result.environment["onnxruntime"] is None
    np.testing.assert_array_equal(arrays["attributions.input"], before)
