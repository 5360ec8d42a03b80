"""Two scikit-learn classifiers on tables, exported to ONNX: an MLP for tumours and a random forest for wines."""

from __future__ import annotations

from typing import Any

import numpy as np

from explainery.demo.split import Split, split

_MEASURES = {
    "radius": "px",
    "texture": "grey levels",
    "perimeter": "px",
    "area": "px²",
    "smoothness": "",
    "compactness": "",
    "concavity": "",
    "concave points": "",
    "symmetry": "",
    "fractal dimension": "",
}
# the data set states no units; lengths were measured on digitised images, hence pixels
CANCER_FEATURES = {f"{kind} {name}": unit for kind in ("mean", "error of", "worst") for name, unit in _MEASURES.items()}
CANCER_LABELS = ("malignant", "benign")

WINE_FEATURES = {
    "alcohol": "% vol",
    "malic acid": "g/l",
    "ash": "g/l",
    "alcalinity of ash": "",
    "magnesium": "mg/l",
    "total phenols": "",
    "flavanoids": "",
    "nonflavanoid phenols": "",
    "proanthocyanins": "",
    "colour intensity": "",
    "hue": "",
    "OD280/OD315": "",
    "proline": "mg/l",
}
WINE_LABELS = ("Barolo", "Grignolino", "Barbera")


def cancer() -> Split:
    """Cell nuclei of 569 tumours (Wolberg, Street and Mangasarian), 30 measurements."""
    from sklearn.datasets import load_breast_cancer

    return split(*load_breast_cancer(return_X_y=True), stratify=True)


def wine() -> Split:
    """178 Piedmontese wines of three cultivars (Forina), 13 measurements."""
    from sklearn.datasets import load_wine

    return split(*load_wine(return_X_y=True), stratify=True)


def train_mlp(tumours: Split) -> Any:
    """Standardisation and a network in one pipeline, so that clients send raw measurements."""
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # strong decay keeps probabilities off 0 and 1, where no feature would matter
    network = MLPClassifier((16,), alpha=1.0, max_iter=400, random_state=0)
    return make_pipeline(StandardScaler(), network).fit(tumours.train_x, tumours.train_y)


def train_forest(wines: Split) -> Any:
    """A random forest: no gradients, only questions and answers."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(100, max_depth=6, random_state=0).fit(wines.train_x, wines.train_y)


def to_onnx(model: Any, features: int) -> bytes:
    """A fitted classifier as ONNX: input "input" FP32 [rows, features], output "probabilities" FP32 [rows, classes]."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    graph = convert_sklearn(
        model,
        initial_types=[("input", FloatTensorType([None, features]))],
        options={id(model): {"zipmap": False}},
        target_opset=17,
    )
    return bytes(graph.SerializeToString())


def probabilities(content: bytes, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What ONNX Runtime answers for `rows`: [rows, classes]."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["probabilities"], {"input": rows})[0])
