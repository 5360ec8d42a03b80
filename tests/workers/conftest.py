"""A laboratory: the engine in this process over a small repository of real model files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import grown
import numpy as np
import pytest
import repos

from explainery.settings import Settings, load
from workers.local import Local

WEIGHTS = np.array([2.0, -1.0, 0.5, 3.0])
"""Of the linear stub, and of the linear torch and ONNX models."""


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model of every runtime and modality."""
    folder = tmp_path_factory.mktemp("models")
    image = repos.tensor_input("input", [1, 8, 8], modality="image", layout="NCHW")
    table = repos.tensor_input(
        "input", [4], modality="tabular", features=["age", "sex_f", "sex_m", "income"], groups={"sex": ["sex_f", "sex_m"]}
    )
    series = repos.tensor_input("input", [20, 2], modality="series")
    repos.add_stub(folder, "linear", 4, weights=WEIGHTS.tolist(), bias=1.0)
    doubles = repos.tensor_input("input", [4]).replace("FP32", "FP64")
    weighted = {"weights": WEIGHTS.tolist(), "bias": 1.0}
    repos.add_torch(folder, "linear-torch", "nets:weighted", weighted, doubles, repos.output(1, kind="regression"))
    repos.add_stub(folder, "product", 2, form="product")
    repos.add_stub(folder, "max", 4, form="max")
    repos.add_torch(
        folder, "mlp", "nets:mlp", {"features": 6}, repos.tensor_input("input", [6]), repos.output(3, kind="logits")
    )
    smooth = {"features": 6, "smooth": True}
    repos.add_torch(folder, "smooth", "nets:mlp", smooth, repos.tensor_input("input", [6]), repos.output(3))
    repos.add_torch(folder, "cnn", "nets:cnn", {}, image, repos.output(4, labels=["a", "b", "c", "d"]))
    repos.add_torch(folder, "table", "nets:linear", {"features": 4}, table, repos.output(1, kind="regression"))
    repos.add_torch(folder, "picky", "nets:picky", {}, repos.tensor_input("input", [3]), repos.output(1))
    repos.add_torch(folder, "hungry", "nets:hungry", {"most": 5}, repos.tensor_input("input", [3]), repos.output(1))
    repos.add_torch(folder, "starving", "nets:hungry", {"most": 0}, repos.tensor_input("input", [3]), repos.output(1))
    both = repos.tensor_input("table", [3]) + repos.tensor_input("picture", [1, 4, 4], modality="image", layout="NCHW")
    outputs = repos.output(16, "extra") + repos.output(2, "logits")
    repos.add_torch(folder, "both", "nets:two_inputs", {}, both, outputs, more='score = "logits"\n')
    repos.add_onnx_linear(folder, "onnx", WEIGHTS[:, None])
    repos.add_onnx_linear(folder, "onnx-fixed", WEIGHTS[:, None], batch=3)
    repos.add_stub(folder, "series", 40, inputs=series.replace("FP32", "FP64"), weights=np.arange(40.0).tolist())
    repos.add_onnx_file(folder, "trees", grown.exported("small"), 4, 1)
    repos.add_torch(folder, "tokens", "inner_nets:encoder", {}, repos.tensor_input("input", [9, 8]), repos.output(3))
    for name, function, args, columns in (("mlp", "mlp", {"features": 6}, 3), ("hungry", "hungry", {"most": 5}, 1)):
        shape = repos.tensor_input("input", [6 if name == "mlp" else 3], modality="tabular")
        repos.add_torch(folder, f"{name}-table", f"nets:{function}", args, shape, repos.output(columns), seed=6)
    shape = repos.tensor_input("input", [3], modality="tabular")
    repos.add_torch(folder, "starving-table", "nets:hungry", {"most": 0}, shape, repos.output(1))
    repos.add_onnx_linear(folder, "onnx-table", WEIGHTS[:, None], modality="tabular")
    repos.add_onnx_linear(folder, "onnx-fixed-table", WEIGHTS[:, None], batch=3, modality="tabular")
    return folder


@pytest.fixture(scope="session")
def lab_settings(models_folder: Path) -> Settings:
    return dataclasses.replace(load({}), models=str(models_folder), factories=("nets", "inner_nets"), device="cpu", threads=1)


@pytest.fixture(scope="session")
def lab(lab_settings: Settings) -> Iterator[Local]:
    """The engine over those models; shared, as a worker's would be."""
    return Local(lab_settings)
