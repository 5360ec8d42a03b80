"""TreeSHAP in NumPy beside shap's C code: 1000 rows, one baseline, the same trees.

Ours reads the ensemble as skl2onnx writes it. Both are called once before they are timed; the best of three is printed.
Run: python -m benchmarks.tree_speed
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import shap
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor

from workers.forest import Forest
from workers.runtimes.onnx.wood.ensembles import ensemble_of

ROWS = 1000
MODELS = {
    "gradient boosting, 100 trees, depth 4": (GradientBoostingRegressor(max_depth=4, random_state=0), load_diabetes),
    "random forest, 100 trees, fully grown": (RandomForestRegressor(random_state=0), load_diabetes),
    "random forest, 100 trees, two classes": (RandomForestClassifier(random_state=0), load_breast_cancer),
}


def read(model: Any, features: int) -> Forest:
    """The trained model as ONNX, read back."""
    options = {id(model): {"zipmap": False}} if hasattr(model, "classes_") else None
    exported = convert_sklearn(model, initial_types=[("input", FloatTensorType([None, features]))], options=options)
    return ensemble_of(exported.graph.node[0]).forest


def best_s(call: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Seconds of the best of three, and the answer."""
    answer, took = call(), []
    for _ in range(3):
        began = time.perf_counter()
        call()
        took.append(time.perf_counter() - began)
    return min(took), answer


def main() -> None:
    """Print the table."""
    print(f"| {ROWS} rows, one baseline | ours, s | shap, s | ratio | largest difference |\n|---|---|---|---|---|")
    for name, (model, load) in MODELS.items():
        X, y = load(return_X_y=True)
        X = np.round((X - X.mean(axis=0)) / X.std(axis=0) * 20).astype(np.float32)  # thresholds lie between whole numbers
        model.fit(X, y)
        rows, baseline = np.resize(X, (ROWS, X.shape[1])), np.median(X, axis=0)
        column = int(hasattr(model, "classes_"))
        forest, players = read(model, X.shape[1]), np.arange(X.shape[1])
        explainer = shap.TreeExplainer(model, data=baseline[None], feature_perturbation="interventional")

        def ours(forest=forest, rows=rows, baseline=baseline, column=column, players=players) -> np.ndarray:
            around = np.broadcast_to(baseline, rows.shape)
            return forest.shapley(rows, around, np.full(ROWS, column), players)

        def theirs(explainer=explainer, rows=rows, column=column) -> np.ndarray:
            found = explainer.shap_values(rows, check_additivity=False)
            return found[:, :, column] if found.ndim == 3 else found

        (our_s, found), (their_s, wanted) = best_s(ours), best_s(theirs)
        difference = np.abs(found - wanted).max() / np.abs(wanted).max()
        print(f"| {name} | {our_s:.3f} | {their_s:.3f} | {our_s / their_s:.1f} | {difference:.1e} |")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the other libraries' own
        main()
