"""Do we and the libraries that people know say the same, where both should? shap's exact, tree and linear explainers; captum.

Each case is one question put to our engine and to theirs, on the very same model, rows and baselines. What is exact on both
sides may differ by rounding; what samples, by four of its own standard errors. The same cases are tests
(`tests/workers/methods/test_references.py`). Run: python -m benchmarks.agreement
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import shap
import torch
from captum._utils.models.linear_model import SkLearnLinearRegression
from captum.attr import FeaturePermutation, GradientShap, Lime
from captum.attr._core.lime import get_exp_kernel_similarity_function
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor, RandomForestClassifier

from benchmarks.models import add_net, add_stub, laboratory
from benchmarks.tables import show
from explainery.contract.job import Baseline
from workers.local import Local, Order

Array = NDArray[np.float64]
WEIGHTS, BIAS = np.array([2.0, -1.0, 0.5, 3.0, 0.0, -0.25]), 1.0
RNG = np.random.Generator(np.random.PCG64(11))
ROWS, BACKGROUND = RNG.normal(size=(5, 6)), RNG.normal(size=(20, 6))
PAIRS = np.repeat([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], [4, 2, 2, 4], axis=0)
"""Two features of which each says a third about the other: their conditional means are linear, as a Gaussian's are."""
ALIKE = 6
"""Rows of PAIRS that agree with a value of one feature."""
ROUNDING, SINGLE = 1e-6, 1e-5
"""Of the largest value: in double precision, and where the model computes in single precision."""
ERRORS = 4.0
DRAWS = 12


@dataclass(frozen=True, eq=False)
class Agreement:
    """`ours`, `theirs`: the same numbers by both. `allowed`: how far each may be apart, as a reader may check."""

    ours: Array
    theirs: Array
    allowed: Array
    why: str

    @property
    def share(self) -> float:
        """The largest difference as a share of what is allowed; at most 1 where they agree."""
        return float(np.max(np.abs(self.ours - self.theirs) / self.allowed))

    @property
    def difference(self) -> float:
        """The largest difference as a share of the largest value."""
        return float(np.abs(self.ours - self.theirs).max() / np.abs(self.theirs).max())


def exactly(ours: Array, theirs: Array, rounding: float = ROUNDING) -> Agreement:
    """Both are exact."""
    most = np.full(theirs.shape, rounding * np.abs(theirs).max())
    return Agreement(ours, theirs, most, f"{rounding:.0e} of the largest")


def sampled(ours: Array, draws: Array, error: Array | float = 0.0) -> Agreement:
    """Theirs samples: `draws` are several of its answers. `error`: our own standard error."""
    spread = np.sqrt(draws.var(axis=0, ddof=1) / len(draws) + np.square(error))
    floor = ROUNDING * np.abs(ours).max()
    return Agreement(ours, draws.mean(axis=0), np.maximum(ERRORS * spread, floor), f"{ERRORS:g} standard errors")


def trees(kind: str) -> tuple[Any, Array]:
    """A trained ensemble, and its data rounded to whole numbers: no library rounds a row across a threshold."""
    model, load = {
        "boosting": (GradientBoostingRegressor(n_estimators=30, max_depth=4, random_state=0), load_diabetes),
        "forest": (RandomForestClassifier(n_estimators=20, max_depth=8, random_state=0), load_breast_cancer),
        "classifier": (GradientBoostingClassifier(n_estimators=20, random_state=0), load_breast_cancer),
    }[kind]
    x, y = load(return_X_y=True)
    x = np.round((x - x.mean(axis=0)) / x.std(axis=0) * 20)
    return model.fit(x.astype(np.float32), y), x


known = cache(trees)


def written(folder: Path) -> Local:
    """The engine over the models of all cases."""
    add_stub(folder, "linear", 6, form="linear", weights=WEIGHTS.tolist(), bias=BIAS)
    add_stub(folder, "pair", 2, form="linear", weights=[1.0, -2.0], bias=0.5)
    add_net(folder, "net", "mlp", {"features": 6, "width": 16, "outputs": 1}, [6], 1)
    place = folder / "table" / "1"
    place.mkdir(parents=True)
    card = (folder / "linear" / "1" / "card.toml").read_text(encoding="utf-8")
    (place / "card.toml").write_text(card.replace("shape = [-1, 6]", 'shape = [-1, 6]\nmodality = "tabular"'), encoding="utf-8")
    for kind in ("boosting", "forest", "classifier"):
        _add_trees(folder / kind / "1", *known(kind))
    return laboratory(folder, threads=1, twin_after_s=-1)


def _add_trees(place: Path, model: Any, x: Array) -> None:
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    classes = hasattr(model, "classes_")
    types, options = [("input", FloatTensorType([None, x.shape[1]]))], {id(model): {"zipmap": False}} if classes else None
    exported = convert_sklearn(model, initial_types=types, options=options, target_opset={"": 17, "ai.onnx.ml": 3})
    place.mkdir(parents=True)
    (place / "model.onnx").write_bytes(exported.SerializeToString())
    name, columns, scale = ("probabilities", 2, "probabilities") if classes else ("variable", 1, "regression")
    card = (
        f'title = "trees"\nformat = "onnx"\nfile = "model.onnx"\n[[inputs]]\nname = "input"\ndatatype = "FP32"\n'
        f'shape = [-1, {x.shape[1]}]\nmodality = "tabular"\n'
        f'[[outputs]]\nname = "{name}"\ndatatype = "FP32"\nshape = [-1, {columns}]\nkind = "{scale}"\n'
    )
    (place / "card.toml").write_text(card, encoding="utf-8")


def asked(lab: Local, model: str, method: str, rows: Array, background: Array | None = None, **more: Any) -> tuple[Any, Any]:
    """A result of ours, and its arrays; against zeros, one baseline, or a background."""
    arrays, baseline = {}, Baseline(kind="zeros")
    if background is not None:
        kind = "background" if len(background) > 1 else "tensor"
        baseline = Baseline(kind=kind, neighbours=more.pop("neighbours", None))  # type: ignore[arg-type]  # a literal
        arrays = {f"{'background' if kind == 'background' else 'baseline'}/input": background}
    order = Order(method, {"input": rows}, more.pop("params", {}), baseline=baseline, arrays=arrays, **more)
    return lab.explain(model, order)


def values(lab: Local, *given: Any, **more: Any) -> Array:
    """Attributions [rows, features] of ours."""
    return np.asarray(asked(lab, *given, **more)[1]["attributions.input"], dtype=np.float64)


def outputs_of(lab: Local, model: str) -> Callable[[Array], Array]:
    """The model as a function, in the precision it has."""
    loaded, kept = lab.load(model), lab.load(model).card.inputs[0].datatype == "FP32"

    def call(points: Array) -> Array:
        placed = loaded.model.place(np.asarray(points).astype(np.float32 if kept else np.float64))
        return np.asarray(loaded.model.fetch(loaded.model.forward({"input": placed})), dtype=np.float64).reshape(
            len(points), -1
        )[:, 0]

    return call


def net_of(lab: Local) -> torch.nn.Module:
    """The network that "net" has, built from the same file."""
    from safetensors.torch import load_file

    from benchmarks.nets import mlp

    net = mlp(features=6, width=16, outputs=1)
    net.load_state_dict(load_file(Path(lab.settings.models) / "net/1/model.safetensors"))
    return net.eval()


def shap_exact_one_baseline(lab: Local) -> Agreement:
    """exact_shapley | shap Exact | network, one baseline."""
    explainer = shap.explainers.Exact(outputs_of(lab, "net"), BACKGROUND[:1])
    theirs = explainer(ROWS, max_evals=2**6, silent=True).values
    return exactly(
        values(lab, "net", "exact_shapley", ROWS.astype(np.float32), BACKGROUND[:1].astype(np.float32)), theirs, SINGLE
    )


def shap_exact_background(lab: Local) -> Agreement:
    """exact_shapley | shap Exact | network, background of 20."""
    masker = shap.maskers.Independent(BACKGROUND, max_samples=len(BACKGROUND))
    theirs = shap.explainers.Exact(outputs_of(lab, "net"), masker)(ROWS, max_evals=2**6, silent=True).values
    return exactly(values(lab, "net", "exact_shapley", ROWS.astype(np.float32), BACKGROUND.astype(np.float32)), theirs, SINGLE)


def shap_linear(lab: Local) -> Agreement:
    """exact_shapley | shap Linear (interventional) | linear model, background of 20."""
    masker = shap.maskers.Independent(BACKGROUND, max_samples=len(BACKGROUND))
    theirs = shap.LinearExplainer((WEIGHTS, BIAS), masker).shap_values(ROWS)
    return exactly(values(lab, "linear", "exact_shapley", ROWS, BACKGROUND), np.asarray(theirs))


def shap_linear_correlated(lab: Local) -> Agreement:
    """exact_shapley, conditional | shap Linear (correlated) | two dependent features."""
    state, draws = np.random.get_state(), []
    for seed in range(DRAWS):  # it draws orders from the process-wide generator
        np.random.seed(seed)
        explainer = shap.LinearExplainer((np.array([1.0, -2.0]), 0.5), shap.maskers.Impute(PAIRS), nsamples=400)
        draws.append(explainer.shap_values(np.array([[1.0, 1.0], [1.0, -1.0]])))
    np.random.set_state(state)
    ours = values(lab, "pair", "exact_shapley", np.array([[1.0, 1.0], [1.0, -1.0]]), PAIRS, neighbours=ALIKE)
    return sampled(ours, np.array(draws))


def _shap_trees(lab: Local, kind: str, column: int | None, params: dict[str, Any] | None = None) -> Agreement:
    model, x = known(kind)
    rows, background = x[:30], x[100:105]
    explainer = shap.TreeExplainer(model, data=background, feature_perturbation="interventional", model_output="raw")
    theirs = np.asarray(explainer.shap_values(rows, check_additivity=False))
    theirs = theirs[:, :, column] if theirs.ndim == 3 else theirs
    given = rows.astype(np.float32), background.astype(np.float32)
    return exactly(values(lab, kind, "tree_shap", *given, target=column, params=params or {}), theirs)


def shap_tree_boosting(lab: Local) -> Agreement:
    """tree_shap | shap Tree | boosted trees, background of 5."""
    return _shap_trees(lab, "boosting", None)


def shap_tree_forest(lab: Local) -> Agreement:
    """tree_shap | shap Tree | random forest's probabilities, background of 5."""
    return _shap_trees(lab, "forest", 1)


def shap_tree_margin(lab: Local) -> Agreement:
    """tree_shap, link: margin | shap Tree (raw) | boosted classifier's log-odds, background of 5."""
    return _shap_trees(lab, "classifier", 1, {"link": "margin"})


def captum_lime(lab: Local) -> Agreement:
    """lime, all coalitions | captum Lime | network at a row of ones, against zeros.

    captum measures how near a sample is in the inputs' own units, we by which features are present: at ones that is the same.
    """
    call = outputs_of(lab, "net")
    theirs = Lime(
        lambda points: torch.from_numpy(call(points.numpy())),
        interpretable_model=SkLearnLinearRegression(),
        # captum's kernel has exp(-d^2 / (2 width^2)), ours exp(-(d / width)^2)
        similarity_func=get_exp_kernel_similarity_function("cosine", kernel_width=0.5 / np.sqrt(2)),
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        point = torch.ones(1, 6, dtype=torch.float64)
        draws = [theirs.attribute(point, n_samples=1000, perturbations_per_eval=1000).numpy() for _ in range(DRAWS)]
    params = {"kernel_width": 0.5, "samples": 64}
    return sampled(values(lab, "net", "lime", np.ones((1, 6), np.float32), params=params, target=0), np.array(draws))


def captum_gradient_shap(lab: Local) -> Agreement:
    """expected_gradients | captum GradientShap | network, background of 20."""
    method = GradientShap(net_of(lab))
    point, around = torch.from_numpy(ROWS[:1]).float(), torch.from_numpy(BACKGROUND).float()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        draws = [method.attribute(point, around, n_samples=400, target=0).detach().numpy() for _ in range(2 * DRAWS)]
    params = {"samples": 8192, "tolerance": 0.0}
    given = ROWS[:1].astype(np.float32), BACKGROUND.astype(np.float32)
    _, arrays = asked(lab, "net", "expected_gradients", *given, params=params, target=0)
    return sampled(
        arrays["attributions.input"].astype(np.float64),
        np.array(draws, np.float64),
        arrays["standard_error.input"].astype(float),
    )


def captum_feature_permutation(lab: Local) -> Agreement:
    """permutation_importance | captum FeaturePermutation | linear model, squared loss, 60 rows."""
    rng = np.random.Generator(np.random.PCG64(5))
    x = rng.normal(size=(60, 6))
    truth = x @ WEIGHTS + BIAS + rng.normal(size=60)
    call = outputs_of(lab, "table")
    method = FeaturePermutation(lambda points: torch.tensor([((call(points.numpy()) - truth) ** 2).mean()]))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        draws = np.array([-method.attribute(torch.from_numpy(x))[0].numpy() for _ in range(60)])
    params = {"truth": truth.tolist(), "repeats": 60, "loss": "squared"}
    report = asked(lab, "table", "permutation_importance", x, params=params, target=None)[0].report
    ours, error = (np.array([each[name] for each in report["features"]]) for name in ("importance", "standard_error"))
    return sampled(ours, draws, error)


CASES: tuple[Callable[[Local], Agreement], ...] = (
    shap_exact_one_baseline,
    shap_exact_background,
    shap_linear,
    shap_linear_correlated,
    shap_tree_boosting,
    shap_tree_forest,
    shap_tree_margin,
    captum_lime,
    captum_gradient_shap,
    captum_feature_permutation,
)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as home, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the other libraries' own
        folder = Path(home) / "models"
        folder.mkdir()
        lab, rows = written(folder), []
        for case in CASES:
            found = case(lab)
            names = str(case.__doc__).partition("\n")[0].rstrip(".").split(" | ")
            verdict = "agree" if found.share <= 1 else "DIFFER"
            rows.append((*names, f"{found.difference:.1e}", found.why, f"{100 * found.share:.0f} %", verdict))
        columns = ("ours", "theirs", "on", "largest difference (of the largest value)", "allowed", "used of it", "")
        show("Agreement with shap and captum", columns, rows)


if __name__ == "__main__":
    main()
