"""The demo's models are really trained, and their repository is one that workers accept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from explainery.contract.catalogue import Verdict
from explainery.demo import models
from explainery.settings import load
from workers.local import Local, Order
from workers.registry import discover
from workers.repository import Repository


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo-models")
    assert list(models.prepare(folder)) == list(models.MODELS)
    return folder


@pytest.fixture(scope="module")
def lab(repository: Path) -> Local:
    return Local(
        load({"EXPLAINERY_MODELS": str(repository), "EXPLAINERY_FACTORIES": models.FACTORIES, "EXPLAINERY_DEVICE": "cpu"})
    )


def test_every_card_is_whole(repository: Path):
    found = Repository(str(repository)).scan()
    assert [entry.fault for entry in found] == [None] * 4
    for entry in found:
        (spec,) = entry.card.inputs
        assert entry.card.sample is not None
        assert entry.card.baseline
        if spec.modality == "tabular":
            assert len(spec.features) == len(spec.units) == spec.shape[1]
        if entry.card.score_output.kind != "regression":
            assert len(entry.card.score_output.labels) == entry.card.score_output.columns


def test_trained_models_are_kept(repository: Path):
    assert list(models.prepare(repository)) == []


def test_the_files_workers_look_at_are_known(repository: Path):
    """Nothing in a model's folder that the card does not name: a digest covers everything."""
    for entry in Repository(str(repository)).scan():
        folder = repository / entry.name / str(entry.version)
        assert {path.name for path in folder.iterdir()} == {"card.toml", *entry.card.files()}


@pytest.mark.parametrize(("name", "least"), [("digits-cnn", 0.95), ("breast-cancer-mlp", 0.93), ("wine-forest", 0.93)])
def test_classifiers_know_rows_they_have_not_seen(lab: Local, name: str, least: float):
    held = models.held_out(name)
    method = "saliency" if "saliency" in working(lab, name) else "feature_ablation"
    result, _ = lab.explain(name, Order(method, {"input": held.held_x[:64]}, {}))
    predicted = [explanation.target.index for explanation in result.explanations]
    assert np.mean(np.array(predicted) == held.held_y[:64]) >= least


def test_the_regressor_is_better_than_the_mean(lab: Local):
    held = models.held_out("diabetes-regressor")
    result, _ = lab.explain("diabetes-regressor", Order("saliency", {"input": held.held_x}, {}, target=None))
    outputs = np.array([explanation.instance_output for explanation in result.explanations])
    assert 1 - np.mean((outputs - held.held_y) ** 2) / held.held_y.var() > 0.2


def working(lab: Local, name: str) -> set[str]:
    """Methods that can be answered of the model."""
    loaded = lab.load(name)
    runtime = lab.registry.runtime_of(loaded.card.format).SPEC
    answers = set(runtime.answers) - set(getattr(loaded.model, "verdict", Verdict()).cannot)
    return {spec.SPEC.name for spec in discover().methods.values() if set(spec.SPEC.asks) <= answers}


def test_the_network_in_onnx_has_gradients_and_the_forest_has_none(lab: Local):
    assert "integrated_gradients" in working(lab, "breast-cancer-mlp")
    assert "integrated_gradients" not in working(lab, "wine-forest")
    assert "tree_shap" in working(lab, "wine-forest")
    assert "tree_shap" not in working(lab, "breast-cancer-mlp")
    assert "TreeEnsembleClassifier" in lab.load("wine-forest").model.verdict.cannot["gradients"]
