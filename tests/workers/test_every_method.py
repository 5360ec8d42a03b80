"""One suite over every method that answers row by row, through the real engine. The others: `test_every_whole_method.py`."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from explainery.contract.catalogue import MethodSpec, Verdict
from explainery.contract.job import Baseline
from explainery.contract.result import Result
from explainery.contract.tensors import map_key
from workers.game import Explaining
from workers.local import Local, Order
from workers.named_layers import layers_seen
from workers.offering import offer_of
from workers.questions import Gradients, Internals, Outputs, Solution, Trees, Values
from workers.registry import discover

METHODS = sorted(name for name, plugin in discover().methods.items() if plugin.SPEC.level == "row")
MODELS = (
    "linear",
    "product",
    "max",
    "mlp",
    "smooth",
    "cnn",
    "table",
    "both",
    "onnx",
    "onnx-fixed",
    "series",
    "tokens",
    "trees",
)
WEIGHTS = np.array([2.0, -1.0, 0.5, 3.0])

RULELESS = {("lrp", "tokens")}
"""What is refused by name when it is tried: an operation has no rule."""

FRUGAL: dict[str, dict[str, Any]] = {
    "kernel_shap": {"samples": 160},
    "permutation_shapley": {"samples": 150},
    "expected_gradients": {"samples": 96},
    "lime": {"samples": 160},
    "rise": {"samples": 96},
    "owen": {"samples": 150},
    "sobol": {"samples": 96},
    "hsic": {"samples": 96},
    "guided_ig": {"max_steps": 12},
}
"""Smaller budgets where the answer's goodness is not what is looked at."""
FRUGAL |= {
    name: {"max_steps": 40}
    for name, plugin in discover().methods.items()
    if name not in FRUGAL and any(param.name == "max_steps" for param in plugin.SPEC.params)
}

SAMPLED: dict[str, dict[str, Any]] = {
    "lime": {"features": "elements", "samples": 8},
    "owen": {"features": "elements", "hierarchy": list(range(6)), "samples": 60, "tolerance": 0.0},
    "hsic": {"samples": 34},
    "sobol": {"samples": 40},
}
"""Too few samples for all coalitions of six features."""

ROUGH = {"sobol": 0.1}
"""Drawn from a continuous set of masks: near the closed form, never equal to it."""

STEEP = {("expected_gradients", "tokens"): 1e-4}
"""Random places on a path may lie next to a blank baseline, where layer norm is steep and single precision rounds more."""

pytestmark = pytest.mark.parametrize("method", METHODS)


def rows_for(lab: Local, model: str, count: int = 3) -> dict[str, NDArray[Any]]:
    """Fixed rows of a model's own shapes."""
    rng = np.random.Generator(np.random.Philox(key=[1, len(model)]))
    card = lab.load(model).card
    return {
        spec.name: rng.normal(size=(count, *spec.row_shape)).astype(spec.datatype.replace("FP", "float"))
        for spec in card.inputs
    }


def works_on(lab: Local, method: str, model: str) -> bool:
    found = lab.repository.scan()
    loaded = lab.load(model)
    verdict: Verdict = getattr(loaded.model, "verdict", Verdict())
    looked_into = {loaded.ref.digest: verdict.model_copy(update={"layers": layers_seen(loaded.model)})}
    entries = {entry.name: entry for entry in offer_of(lab.registry, found, lab.settings, looked_into.get).models}
    entry, spec = entries[model], lab.registry.methods[method].SPEC
    fits = spec.max_players is None or (entry.players or 0) <= spec.max_players
    return entry.methods[method].available and fits


def linear_for(lab: Local, method: str) -> str:
    """f = w.x + 1: as a stub, or as a module for methods that look inside."""
    spec = lab.registry.methods[method].SPEC
    if spec.layer is not None:
        pytest.skip("looks at a layer: checked in tests/workers/inside")
    if spec.modality is not None:
        pytest.skip(f"for inputs of modality {spec.modality}: checked in its own tests")
    if "trees" in spec.asks:
        pytest.skip("needs trees: checked in tests/workers/test_forest.py")
    return "linear-torch" if "internals" in spec.asks else "linear"


def any_for(lab: Local, method: str) -> str:
    """A model that the method works on."""
    spec = lab.registry.methods[method].SPEC
    if "trees" in spec.asks:
        return "trees"
    if spec.modality == "image":
        return "cnn"
    homes = {
        None: "linear-torch" if "internals" in spec.asks else "linear",
        "map": "cnn",
        "attention": "tokens",
        "any": "smooth",
    }
    return homes[spec.layer]


def answers(arrays: dict[str, NDArray[Any]]) -> list[str]:
    """What a method answers with: attributions and maps."""
    return sorted(key for key in arrays if key.startswith(("attributions.", "maps.")))


def explain(
    lab: Local, method: str, model: str, inputs: dict[str, NDArray[Any]], **more: Any
) -> tuple[Result, dict[str, NDArray[Any]]]:
    return lab.explain(model, Order(method, inputs, more.pop("params", {}), **more))


@pytest.mark.parametrize("model", MODELS)
def test_shapes_and_finiteness(lab: Local, method: str, model: str) -> None:
    if not works_on(lab, method, model) or (method, model) in RULELESS:
        pytest.skip("the catalogue refuses it")
    result, arrays = explain(lab, method, model, rows_for(lab, model), params=FRUGAL.get(method, {}))
    assert len(result.explanations) == 3
    for explanation in result.explanations:
        for described in explanation.attributions:
            array = arrays[f"attributions.{described.input}"]
            assert array.shape == (3, *described.shape)
            assert np.isfinite(array).all()
            if described.layer is not None:
                continue
            row_shape = lab.load(model).card.input(described.input).row_shape
            assert described.shape == row_shape or described.features is not None
        for described in explanation.maps:
            assert arrays[map_key(described)].shape == (3, *described.shape)
            assert len(described.axes) == len(described.shape)
        assert explanation.attributions or explanation.maps


def test_exact_on_a_linear_model(lab: Local, method: str) -> None:
    """f = w.x + 1 with baseline b: gradients are w, everything else is w * (x - b)."""
    x, b = np.array([[1.0, 2.0, -3.0, 0.5]]), np.array([0.5, 0.0, 1.0, -1.0])
    baseline = Baseline(kind="tensor")
    params = {"noise": 0.3} if method == "smoothgrad" else {}
    if method == "occlusion":
        params = {"window": 1, "stride": 1}
    _, arrays = explain(
        lab, method, linear_for(lab, method), {"input": x}, baseline=baseline, arrays={"baseline/input": b[None]}, params=params
    )
    gradients = dict.fromkeys(("saliency", "smoothgrad", "guided_backprop", "deconvolution"), WEIGHTS)
    gradients |= {"var_grad": np.zeros(4), "square_grad": WEIGHTS**2}
    products = dict.fromkeys(("input_x_gradient", "lrp"), WEIGHTS * x[0])
    change = WEIGHTS * (x[0] - b)
    shares = {"sobol": change**2 / (change @ change), "hsic": _dependence(change)}
    expected = (gradients | products | shares).get(method, change)
    np.testing.assert_allclose(arrays["attributions.input"][0], expected, atol=ROUGH.get(method, 1e-9))


def _dependence(change: NDArray[Any]) -> NDArray[Any]:
    """HSIC of each feature with the output, over all sixteen masks, by its definition."""
    present = (np.arange(16)[:, None] >> np.arange(4)) % 2
    away = np.subtract.outer(present @ change, present @ change) ** 2
    centre = np.eye(16) - 1 / 16
    like = centre @ np.exp(-away / (2 * np.median(away[np.triu_indices(16, 1)]))) @ centre
    alike = [np.equal.outer(column, column).astype(float) for column in present.T]
    return np.array([np.trace(each @ like) for each in alike]) / np.sqrt((16**2 / 4) * np.trace(like @ like))


@pytest.mark.parametrize("model", ["smooth", "mlp", "cnn", "both", "series", "trees"])
def test_completeness_where_promised(lab: Local, method: str, model: str) -> None:
    if not lab.registry.methods[method].SPEC.completeness:
        pytest.skip("promises none")
    if not works_on(lab, method, model) or (method, model) in RULELESS:
        pytest.skip("the catalogue refuses it")
    result, arrays = explain(lab, method, model, rows_for(lab, model))
    for row, explanation in enumerate(result.explanations):
        total = sum(float(arrays[f"attributions.{a.input}"][row].astype(float).sum()) for a in explanation.attributions)
        difference = explanation.instance_output - explanation.baseline_output
        gap = abs(total - difference) / max(abs(difference), 1e-12)
        assert explanation.quality.completeness_gap is not None
        assert gap == pytest.approx(explanation.quality.completeness_gap, abs=1e-4)
        assert gap <= 0.01 or explanation.quality.converged is False


@pytest.mark.parametrize("model", ["product", "mlp", "cnn", "both", "tokens", "trees"])
def test_a_row_does_not_depend_on_its_company(lab: Local, method: str, model: str) -> None:
    """The same alone, among other rows and other jobs, in another order, and when done again elsewhere."""
    if not works_on(lab, method, model) or (method, model) in RULELESS:
        pytest.skip("the catalogue refuses it")
    inputs, params = rows_for(lab, model, 5), FRUGAL.get(method, {})
    single = [{name: rows[n : n + 1] for name, rows in inputs.items()} for n in range(5)]
    alone = [explain(lab, method, model, one, seed=7, params=params)[1] for one in single]
    _, together = explain(lab, method, model, inputs, seed=7, params=params)
    backwards = {name: rows[::-1] for name, rows in inputs.items()}
    among = lab.explain_all(
        model,
        [
            Order(method, rows_for(lab, model, 2), params, seed=3),
            Order(method, backwards, params, seed=7),
            Order(method, inputs, params),
        ],
    )
    _, again = explain(Local(lab.settings), method, model, inputs, seed=7, params=params)
    for key in answers(together):
        expected = together[key]
        near = STEEP.get((method, model), 3e-6) * max(float(np.abs(expected).max()), 1.0)
        for row in range(5):
            np.testing.assert_allclose(alone[row][key][0], expected[row], atol=near)
        np.testing.assert_allclose(among[1][1][key][::-1], expected, atol=near)
        np.testing.assert_allclose(again[key], expected, atol=near)


def test_process_wide_random_state_is_untouched(lab: Local, method: str) -> None:
    home = any_for(lab, method)
    rows = rows_for(lab, home)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    explain(lab, method, home, rows)
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before


def test_asks_only_what_its_spec_says(lab: Local, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The questions are of the kinds it declares, and cost no more than it says."""
    plugin = lab.registry.methods[method]
    spec: MethodSpec = plugin.SPEC
    original, asked = plugin.explain, []

    def recording(game: Any, params: Any) -> Explaining:
        steps: Iterator[Any] = original(game, params)
        answer: Any = None
        while True:
            try:
                question = steps.send(answer)  # type: ignore[attr-defined]
            except StopIteration as done:
                solution: Solution = done.value
                return solution
            asked.append(question)
            answer = yield question

    monkeypatch.setattr(plugin, "explain", recording)
    home = any_for(lab, method)
    rows = {name: array[:1] for name, array in rows_for(lab, home).items()}
    result, _ = explain(lab, method, home, rows, params={})
    names = {Values: "values", Outputs: "values", Gradients: "gradients", Internals: "internals", Trees: "trees"}
    assert {names[type(question)] for question in asked} <= set(spec.asks)
    players = sum(array.size for array in rows.values())
    assert sum(question.evaluations for question in asked) <= plugin.cost(players, result.params)
    assert result.cost.gradient_evaluations == sum(q.evaluations for q in asked if isinstance(q, (Gradients, Internals)))
    frame = result.cost.model_evaluations - sum(q.evaluations for q in asked if isinstance(q, (Values, Outputs, Trees)))
    # a look at the instance shows the outputs, too
    assert frame == 2 if spec.asks != ("internals",) else frame <= 2


def test_seed(lab: Local, method: str) -> None:
    """A random method gives another answer under another seed, any method the same under the same."""
    spec = lab.registry.methods[method].SPEC
    walks = method in ("kernel_shap", "permutation_shapley")
    plain = SAMPLED.get(method, {})
    small = {"samples": 40, "tolerance": 0.0} if walks else {"samples": 8} if spec.random else {}
    own = spec.layer in ("map", "attention") or spec.modality is not None or "trees" in spec.asks
    home = any_for(lab, method) if own else "smooth"
    inputs = rows_for(lab, home, 1)
    params = {"features": "elements", **small} if walks else plain or small
    first, second, again = (
        np.concatenate([arrays[key].reshape(-1) for key in answers(arrays)])
        for arrays in (explain(lab, method, home, inputs, seed=seed, params=params)[1] for seed in (1, 2, 1))
    )
    assert np.allclose(first, again, rtol=0, atol=1e-6)  # chunks are cut by how fast the machine is, and sums round by chunk
    assert np.allclose(first, second, rtol=0, atol=1e-6) is not spec.random


def test_a_background_is_averaged_over(lab: Local, method: str) -> None:
    """Under the marginal value function a linear model's attribution is w * (x - mean of the background)."""
    if lab.registry.methods[method].SPEC.completeness is False:
        pytest.skip("promises no completeness")
    x, background = (
        np.array([[1.0, 2.0, -3.0, 0.5]]),
        np.array([[0.0, 1.0, 1.0, 1.0], [2.0, 0.0, -1.0, 3.0], [0.5, 0.5, 0.5, 0.5]]),
    )
    result, arrays = explain(
        lab,
        method,
        linear_for(lab, method),
        {"input": x},
        baseline=Baseline(kind="background"),
        arrays={"background/input": background},
    )
    assert result.value_function == "marginal"
    np.testing.assert_allclose(arrays["attributions.input"][0], WEIGHTS * (x[0] - background.mean(axis=0)), atol=1e-9)


def test_spec_is_complete(lab: Local, method: str) -> None:
    spec = lab.registry.methods[method].SPEC
    assert spec.name == method
    assert spec.title
    assert spec.summary.endswith(".")
    assert spec.reference
    assert spec.asks
    for param in spec.params:
        assert param.help
        assert param.fault(param.default) is None
