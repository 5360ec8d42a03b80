"""A transformer of texts gets its ONNX twin, too: exported without torch's fused layers, and with nothing masked."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import texts

from explainery.settings import load
from workers.local import Local, Order
from workers.plugins import Place
from workers.runtimes.onnx.session import opened
from workers.twin_export import _like, exported
from workers.twins import compare


def test_a_twin_answers_values_of_texts(tmp_path: Path) -> None:
    texts.add_planted(tmp_path)
    settings = dataclasses.replace(load({}), home=tmp_path / "home", models=str(tmp_path), device="cpu", threads=1)
    lab = Local(dataclasses.replace(settings, factories=("text_nets",), twin_after_s=-1))
    loaded = lab.load("planted")
    card, model = loaded.card, loaded.model
    order = Order("kernel_shap", {"input_ids": texts.sentences(4, seed=5)}, {"samples": 64})
    _, before = lab.explain("planted", order)
    like = {spec.name: model.place(_like(card, spec.name, {})) for spec in card.inputs}
    session = opened(card, exported(card, model.alone(), like), Place("cpu", settings))  # type: ignore[attr-defined]
    compare(session, card, model, {}, {})
    model.adopt(session.forward, session.environment)  # type: ignore[attr-defined]
    result, after = lab.explain("planted", order)
    assert result.environment["onnxruntime"] is not None
    np.testing.assert_allclose(after["attributions.input_ids"], before["attributions.input_ids"], atol=1e-4)
    assert lab.explain("planted", Order("deep_lift", order.inputs, {}))[0].explanations
