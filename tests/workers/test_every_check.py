"""One suite over every quality check, through the real engine, on models of every runtime that can have it."""

from __future__ import annotations

import dataclasses
import gc
import weakref
from typing import Any

import numpy as np
import pytest

from explainery.contract.result import Explanation, Result
from workers.local import Local, Order
from workers.offering import offer_of
from workers.registry import discover

CHECKS = sorted(discover().checks)
MODELS = ("linear", "mlp", "smooth", "cnn", "table", "both", "onnx", "onnx-fixed", "series", "trees")
METHODS = ("integrated_gradients", "kernel_shap", "saliency", "occlusion", "rise", "grad_cam", "tree_shap", "lrp")
SMALL: dict[str, dict[str, Any]] = {
    "deletion": {"samples": 60, "orders": 5},
    "insertion": {"samples": 60, "orders": 5},
    "infidelity": {"samples": 30},
    "max_sensitivity": {"runs": 2},
    "randomisation": {"runs": 2},
    "stability": {"runs": 2},
}
FRUGAL: dict[str, dict[str, Any]] = {"kernel_shap": {"samples": 150}, "rise": {"samples": 60}}


def rows(lab: Local, model: str, count: int = 2) -> dict[str, Any]:
    rng = np.random.Generator(np.random.Philox(key=[2, len(model)]))
    return {
        spec.name: rng.normal(size=(count, *spec.row_shape)).astype(spec.datatype.replace("FP", "float"))
        for spec in lab.load(model).card.inputs
    }


def entry_of(lab: Local, model: str) -> Any:
    verdict = getattr(lab.load(model).model, "verdict", None)
    known = {lab.load(model).ref.digest: verdict}
    return next(
        entry for entry in offer_of(lab.registry, lab.repository.scan(), lab.settings, known.get).models if entry.name == model
    )


def explain(lab: Local, model: str, method: str, quality: dict[str, Any], **more: Any) -> tuple[Result, dict[str, Any]]:
    inputs = more.pop("inputs", None) or rows(lab, model)
    return lab.explain(model, Order(method, inputs, FRUGAL.get(method, {}), quality=quality, **more))


def checked(explanation: Explanation, check: str) -> dict[str, Any]:
    assert explanation.quality.checks is not None
    return explanation.quality.checks[check]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("check", CHECKS)
def test_figures_and_a_verdict_on_every_model(lab: Local, check: str, model: str) -> None:
    entry = entry_of(lab, model)
    if not entry.checks[check].available:
        assert entry.checks[check].reason
        pytest.skip("the catalogue refuses it")
    method = next(name for name in METHODS if entry.methods[name].available)
    result, arrays = explain(lab, model, method, {check: SMALL[check]}, seed=3)
    plain, before = explain(lab, model, method, {}, seed=3)
    for name in before:
        np.testing.assert_allclose(arrays[name], before[name], atol=1e-6)
    assert plain.explanations[0].quality.checks is None
    for explanation in result.explanations:
        found = checked(explanation, check)
        assert found["verdict"] in ("pass", "warn", "fail")
        assert len(found) > 2
        assert bool(found["note"]) or found["verdict"] == "pass"
    Result.model_validate_json(result.model_dump_json())


@pytest.mark.parametrize("method", METHODS)
def test_every_check_on_methods_of_every_kind(lab: Local, method: str) -> None:
    model = "trees" if method == "tree_shap" else "cnn"
    possible = {name: SMALL[name] for name, each in entry_of(lab, model).checks.items() if each.available}
    result, _ = explain(lab, model, method, possible)
    assert set(result.explanations[0].quality.checks or {}) == set(possible)


def test_the_catalogue_says_what_cannot_be_checked(lab: Local) -> None:
    for model, reason in (("linear", "cannot be shuffled here"), ("trees", "there is none")):
        assert reason in str(entry_of(lab, model).checks["randomisation"].reason)
    assert entry_of(lab, "onnx").checks["randomisation"].available
    assert entry_of(lab, "mlp").checks["randomisation"].available


@pytest.mark.parametrize("check", CHECKS)
def test_a_row_does_not_depend_on_its_company(lab: Local, check: str) -> None:
    inputs = rows(lab, "smooth", 3)
    quality = {check: SMALL[check]}
    together, _ = explain(lab, "smooth", "kernel_shap", quality, inputs=inputs, seed=5)
    orders = [
        Order(
            "kernel_shap",
            {name: array[n : n + 1] for name, array in inputs.items()},
            FRUGAL["kernel_shap"],
            seed=seed,
            quality=quality,
        )
        for n in range(3)
        for seed in (5, 6)
    ]
    among = [result for result, _ in lab.explain_all("smooth", orders)][::2]
    for row in range(3):
        here, there = checked(together.explanations[row], check), checked(among[row].explanations[0], check)
        for name, value in here.items():
            if isinstance(value, float):
                assert there[name] == pytest.approx(value, rel=1e-3, abs=1e-5)


def test_a_linear_model_is_found_as_it_is_by_hand(lab: Local) -> None:
    """f = 2 a - b + 0.5 c + 3 d + 1 at (1, 1, 1, 1): the figures of tests/workers/checks, through the engine."""
    order = Order("kernel_shap", {"input": np.ones((1, 4))}, {}, quality={"deletion": {}, "insertion": {}, "infidelity": {}})
    result, _ = lab.explain("linear", order)
    explanation = result.explanations[0]
    assert checked(explanation, "deletion")["area"] == pytest.approx(0.5625 + 1)
    assert checked(explanation, "insertion")["area"] == pytest.approx(3.9375 + 1)
    assert checked(explanation, "infidelity")["infidelity"] == pytest.approx(0, abs=1e-12)
    assert explanation.quality.verdict == "pass"


def test_slopes_are_judged_by_what_they_contribute(lab: Local) -> None:
    """Saliency says (2, -1, 0.5, 3) at x = (-1, -1, -1, -1), too, where taking a away adds 2: times x - b it is right."""
    order = Order("saliency", {"input": -np.ones((1, 4))}, {}, quality={"infidelity": {}})
    result, _ = lab.explain("linear", order)
    assert checked(result.explanations[0], "infidelity")["infidelity"] == pytest.approx(0, abs=1e-12)


def test_the_cost_counts_the_checks(lab: Local) -> None:
    """14 sets of four players, beside frame and coalitions."""
    one = {"input": np.ones((1, 4))}
    plain, _ = lab.explain("linear", Order("kernel_shap", one, {}))
    more, _ = lab.explain("linear", Order("kernel_shap", one, {}, quality={"infidelity": {}}))
    assert more.cost.model_evaluations == plain.cost.model_evaluations + 14


def test_max_sensitivity_of_a_linear_model(lab: Local) -> None:
    """Input times gradient is w x: what a move of at most 0.01 times the range (2) does is at most 0.02 |w|."""
    row = {"input": np.array([[1.0, -1.0, 1.0, 1.0]])}
    result, _ = lab.explain(
        "linear", Order("input_x_gradient", row, {}, quality={"max_sensitivity": {"runs": 20, "radius": 0.01}})
    )
    found = checked(result.explanations[0], "max_sensitivity")["max_sensitivity"]
    norm = float(np.linalg.norm([2.0, -1.0, 0.5, 3.0]))
    assert 0.3 * 0.02 * norm < found <= 0.02 * norm


def test_copies_go_with_their_job(lab_settings: Any) -> None:
    """Shuffled copies share what was not shuffled, leave the model as it is, and are gone when the job is."""
    lab = Local(dataclasses.replace(lab_settings))
    model = lab.load("cnn").model
    before = {name: tensor.clone() for name, tensor in model._module.state_dict().items()}
    made: list[Any] = []
    original = type(model).shuffled

    def noted(self: Any, layers: Any, seed: int) -> Any:
        copy = original(self, layers, seed)
        made.append(weakref.ref(copy))
        return copy

    type(model).shuffled = noted
    try:
        explain(lab, "cnn", "integrated_gradients", {"randomisation": {"runs": 3}}, inputs=rows(lab, "cnn", 4))
    finally:
        type(model).shuffled = original
    gc.collect()
    assert len(made) == 3
    assert [ref() for ref in made] == [None] * 3
    for name, tensor in model._module.state_dict().items():
        assert (tensor == before[name]).all()
