"""scikit-learn models on its own data as ONNX files: those that have a gradient, and those that have none."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def _data(kind: str) -> tuple[NDArray[Any], NDArray[Any]]:
    from sklearn.datasets import load_diabetes, load_wine

    x, y = load_diabetes(return_X_y=True) if kind == "regression" else load_wine(return_X_y=True)
    return (x / np.abs(x).max(0)).astype(np.float32), y


def _fitted(name: str) -> Any:
    from sklearn.decomposition import PCA
    from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, Normalizer, PolynomialFeatures, StandardScaler
    from sklearn.svm import SVC

    models: dict[str, Callable[[], Any]] = {
        "logistic": lambda: LogisticRegression(),
        "logistic-scaled": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
        "logistic-normalised": lambda: make_pipeline(Normalizer(), LogisticRegression()),
        "logistic-polynomial": lambda: make_pipeline(PolynomialFeatures(2), LogisticRegression(max_iter=500)),
        "ridge": lambda: make_pipeline(MinMaxScaler(), Ridge()),
        "pca": lambda: make_pipeline(PCA(5), LogisticRegression()),
        "mlp": lambda: make_pipeline(StandardScaler(), MLPClassifier((16,), max_iter=200, random_state=0)),
        "mlp-regressor": lambda: MLPRegressor(hidden_layer_sizes=(16,), max_iter=50, random_state=0),
        "bayes": lambda: GaussianNB(),
        "process": lambda: GaussianProcessRegressor(RBF(1.0), random_state=0),
        "forest": lambda: RandomForestClassifier(10, random_state=0),
        "boosting": lambda: GradientBoostingClassifier(n_estimators=5, random_state=0),
        "svc": lambda: SVC(probability=False),
        "neighbours": lambda: KNeighborsClassifier(3),
    }
    return models[name]()


REGRESSIONS = ("ridge", "mlp-regressor", "process")
REFUSED = {
    "forest": "TreeEnsembleClassifier",
    "boosting": "TreeEnsembleClassifier",
    "svc": "SVMClassifier",
    "neighbours": "",
}
NAMES = (
    "logistic", "logistic-scaled", "logistic-normalised", "logistic-polynomial", "ridge", "pca", "mlp", "mlp-regressor",
    "bayes", "process", "forest", "boosting", "svc", "neighbours",
)  # fmt: skip
OUTPUTS = {name: "variable" if name in REGRESSIONS else "probabilities" for name in NAMES} | {"process": "GPmean"}


def make(name: str) -> bytes:
    """Fit and convert."""
    import warnings

    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    x, y = _data("regression" if name in REGRESSIONS else "classes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = _fitted(name).fit(x[:150], y[:150])
        options = {} if name in REGRESSIONS else {id(model): {"zipmap": False}}
        graph = convert_sklearn(
            model, initial_types=[("x", FloatTensorType([None, x.shape[1]]))], options=options, target_opset=17
        )
    return bytes(graph.SerializeToString())


MODELS: dict[str, Callable[[], bytes]] = {name: functools.partial(make, name) for name in NAMES}


def inputs_of(name: str) -> Callable[[], Mapping[str, NDArray[Any]]]:
    """The first rows of the model's data."""
    return lambda: {"x": _data("regression" if name in REGRESSIONS else "classes")[0][:4]}
