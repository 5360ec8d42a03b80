"""Three tables with trained models, as a repository that the engine explains, and as scikit-learn has them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import GradientBoostingClassifier

from benchmarks.credit import ACTIONABILITY, CATEGORIES, FEATURES, GROUPS, LABELS, credit
from explainery.demo import onnx_tables
from explainery.settings import load
from workers.local import Local


@dataclass(frozen=True, eq=False)
class Trained:
    """A table and its model. `x`, `held`: rows it was trained on, and others."""

    name: str
    model: Any
    onnx: bytes
    features: tuple[str, ...]
    labels: tuple[str, ...]
    x: np.ndarray[Any, Any]
    held: np.ndarray[Any, Any]
    input_more: dict[str, Any] = dataclasses.field(default_factory=dict)


def all_three() -> list[Trained]:
    """Breast cancer (MLP), wine (forest) and the credit table (gradient boosting)."""
    tumours, wines = onnx_tables.cancer(), onnx_tables.wine()
    mlp, forest = onnx_tables.train_mlp(tumours), onnx_tables.train_forest(wines)
    table = credit()
    boosted = GradientBoostingClassifier(random_state=0).fit(table.x[:1000], table.y[:1000])
    more = {"categories": CATEGORIES, "groups": GROUPS, "actionability": ACTIONABILITY}
    return [
        _trained("cancer", mlp, tuple(onnx_tables.CANCER_FEATURES), onnx_tables.CANCER_LABELS, tumours.train_x, tumours.held_x),
        _trained("wine", forest, tuple(onnx_tables.WINE_FEATURES), onnx_tables.WINE_LABELS, wines.train_x, wines.held_x),
        _trained("credit", boosted, FEATURES, LABELS, table.x[:1000], table.x[1000:], more),
    ]


def laboratory(folder: Path, models: Sequence[Trained]) -> Local:
    """The engine over a repository of these."""
    for each in models:
        _write(folder / each.name / "1", each)
    return Local(dataclasses.replace(load({}), models=str(folder), device="cpu"))


def _trained(
    name: str, model: Any, features: tuple[str, ...], labels: tuple[str, ...], x: Any, held: Any, more: Any = None
) -> Trained:
    x, held = np.asarray(x, np.float32), np.asarray(held, np.float32)
    return Trained(name, model, onnx_tables.to_onnx(model, len(features)), features, labels, x, held, more or {})


def _write(place: Path, of: Trained) -> None:
    place.mkdir(parents=True)
    (place / "model.onnx").write_bytes(of.onnx)
    shape, names = [-1, len(of.features)], list(of.features)
    lines = [f'title = "{of.name}"', 'format = "onnx"', 'file = "model.onnx"']
    lines += ["[[inputs]]", 'name = "input"', 'datatype = "FP32"', f"shape = {shape}", 'modality = "tabular"']
    lines += [f"features = {json.dumps(names)}", *(f"{key} = {_toml(value)}" for key, value in of.input_more.items())]
    lines += ["[[outputs]]", 'name = "probabilities"', 'datatype = "FP32"', f"shape = [-1, {len(of.labels)}]"]
    lines += ['kind = "probabilities"', f"labels = {json.dumps(list(of.labels))}"]
    (place / "card.toml").write_text("\n".join(lines), encoding="utf-8")


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(part)}" for key, part in value.items()) + "}"
    return json.dumps(value)
