"""Tree ensembles trained on whole numbers: their thresholds lie between, and no library rounds a row across one."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

KINDS: dict[str, Any] = {
    "small": GradientBoostingRegressor(n_estimators=10, max_depth=3, random_state=0),
    "boosting": GradientBoostingRegressor(n_estimators=30, max_depth=4, random_state=0),
    "forest": RandomForestRegressor(n_estimators=20, random_state=0),
    "extra": ExtraTreesRegressor(n_estimators=10, max_depth=7, random_state=0),
    "classes": RandomForestClassifier(n_estimators=15, random_state=0),
    "three": RandomForestClassifier(n_estimators=10, max_depth=6, random_state=0),
    "scores": GradientBoostingClassifier(n_estimators=20, random_state=0),
}
LINKED: dict[str, Any] = {
    "logistic": GradientBoostingClassifier(n_estimators=20, random_state=0),
    "softmax": GradientBoostingClassifier(n_estimators=8, random_state=0),
}
"""Classifiers whose files put out probabilities: a function follows the trees."""


@cache
def data(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows [rows, features] and what is learned of them."""
    tumours = kind in ("classes", "scores", "three", "logistic")
    X, y = load_breast_cancer(return_X_y=True) if tumours else load_diabetes(return_X_y=True)
    X = np.round((X - X.mean(axis=0)) / X.std(axis=0) * 20).astype(np.float32)
    X = X[:, :4] if kind in ("small", "softmax") else X
    if kind in ("three", "softmax"):
        return X, np.digitize(X[:, 0] if kind == "three" else y, [-10, 10] if kind == "three" else [100, 180])
    return X, y


@cache
def trained(kind: str) -> Any:
    return (KINDS | LINKED)[kind].fit(*data(kind))


@cache
def exported(kind: str) -> Any:
    """The same as ONNX, as skl2onnx writes it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from skl2onnx import convert_sklearn
        from skl2onnx.common.data_types import FloatTensorType

        model = trained(kind)
        options = {id(model): {"zipmap": False, **({"raw_scores": True} if kind == "scores" else {})}}
        types = [("input", FloatTensorType([None, data(kind)[0].shape[1]]))]
        return convert_sklearn(
            model,
            initial_types=types,
            options=options if hasattr(model, "classes_") else None,
            target_opset={"": 17, "ai.onnx.ml": 3},
        )
