"""The demo's four models: really trained, from fixed seeds, on data that scikit-learn brings along."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from explainery.demo import folder
from explainery.demo.folder import Bundle
from explainery.demo.split import Split

FACTORIES = "explainery.demo.digits,explainery.demo.diabetes"
"""What EXPLAINERY_FACTORIES must allow before a worker builds the two PyTorch models."""
VERSION = "1"


def prepare(repository: Path, names: Collection[str] | None = None) -> Iterator[str]:
    """Train and write those models (all, when no names are given) that the repository does not hold; yield each name before.

    A model is trained again when its recipe, the demo's own source, has changed since.
    """
    recipe = _recipe()
    for name, make in MODELS.items():
        mark = repository / name / ".recipe"
        target = repository / name / VERSION
        there = (target / "card.toml").exists() and mark.exists() and mark.read_text() == recipe
        if there or (names is not None and name not in names):
            continue
        yield name
        with _one_thread():
            bundle = make()
        folder.write(target, bundle)
        mark.write_text(recipe)


def held_out(name: str) -> Split:
    """The data of a model, for rows that it has not seen and the truth about them."""
    return _DATA[name]()


def _digits_data() -> Split:
    from explainery.demo import digits

    return digits.data()


def _diabetes_data() -> Split:
    from explainery.demo import diabetes

    return diabetes.data()


def _cancer_data() -> Split:
    from explainery.demo import onnx_tables

    return onnx_tables.cancer()


def _wine_data() -> Split:
    from explainery.demo import onnx_tables

    return onnx_tables.wine()


def _digits() -> Bundle:
    from explainery.demo import digits

    data = digits.data()
    card = {
        "title": "Handwritten digits, small CNN",
        "format": "safetensors",
        "file": "model.safetensors",
        "factory": "explainery.demo.digits:build",
        "inputs": [_image_input()],
        "outputs": [_output("logits", 10, "logits", [str(digit) for digit in range(10)])],
        "baseline": {"input": 0.0},
    }
    return Bundle(card, _weights(digits.train(data)), data.held_x)


def _diabetes() -> Bundle:
    from explainery.demo import diabetes

    data = diabetes.data()
    table = _table_input(diabetes.FEATURES) | {"categories": {"sex": ["code 1", "code 2"]}}
    card = {
        "title": "Disease progression a year after the examination, small network",
        "format": "safetensors",
        "file": "model.safetensors",
        "factory": "explainery.demo.diabetes:build",
        "inputs": [table],
        "outputs": [_output("progression", 1, "regression") | {"unit": "points"}],
    }
    return Bundle(card, _weights(diabetes.train(data)), data.held_x, data.train_x.mean(axis=0))


def _cancer() -> Bundle:
    from explainery.demo import onnx_tables

    data = onnx_tables.cancer()
    content = onnx_tables.to_onnx(onnx_tables.train_mlp(data), data.train_x.shape[1])
    card = _onnx_card("Breast tumours, multi-layer perceptron", onnx_tables.CANCER_FEATURES, onnx_tables.CANCER_LABELS)
    return Bundle(card, content, data.held_x, data.train_x.mean(axis=0))


def _wine() -> Bundle:
    from explainery.demo import onnx_tables

    data = onnx_tables.wine()
    content = onnx_tables.to_onnx(onnx_tables.train_forest(data), data.train_x.shape[1])
    card = _onnx_card("Cultivar of a wine, random forest", onnx_tables.WINE_FEATURES, onnx_tables.WINE_LABELS)
    return Bundle(card, content, data.held_x, data.train_x.mean(axis=0))


def _onnx_card(title: str, features: dict[str, str], labels: tuple[str, ...]) -> dict[str, Any]:
    return {
        "title": title,
        "format": "onnx",
        "file": "model.onnx",
        "inputs": [_table_input(features)],
        "outputs": [_output("probabilities", len(labels), "probabilities", list(labels))],
    }


def _image_input() -> dict[str, Any]:
    shape = [-1, 1, 8, 8]
    return {"name": "input", "datatype": "FP32", "shape": shape, "modality": "image", "layout": "NCHW", "range": [0, 1]}


def _table_input(features: dict[str, str]) -> dict[str, Any]:
    names, units = list(features), list(features.values())
    shape = [-1, len(names)]
    return {"name": "input", "datatype": "FP32", "shape": shape, "modality": "tabular", "features": names, "units": units}


def _output(name: str, columns: int, kind: str, labels: list[str] | None = None) -> dict[str, Any]:
    output = {"name": name, "datatype": "FP32", "shape": [-1, columns], "kind": kind}
    return output | ({"labels": labels} if labels else {})


def _weights(model: Any) -> bytes:
    from safetensors.torch import save

    return bytes(save({name: tensor.contiguous() for name, tensor in model.state_dict().items()}))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Networks this small train fastest on one thread: on several, most of the time goes into waiting for each other."""
    import torch
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


def _recipe() -> str:
    """A digest over the demo's own sources: another recipe, another model."""
    digest = hashlib.sha256()
    for source in ("digits.py", "diabetes.py", "onnx_tables.py", "split.py", "models.py", "folder.py"):
        digest.update((Path(__file__).parent / source).read_bytes())
    return digest.hexdigest()


MODELS: dict[str, Callable[[], Bundle]] = {
    "digits-cnn": _digits,
    "breast-cancer-mlp": _cancer,
    "wine-forest": _wine,
    "diabetes-regressor": _diabetes,
}
_DATA: dict[str, Callable[[], Split]] = {
    "digits-cnn": _digits_data,
    "breast-cancer-mlp": _cancer_data,
    "wine-forest": _wine_data,
    "diabetes-regressor": _diabetes_data,
}
