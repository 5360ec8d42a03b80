"""One suite over every method that answers for a whole job, through the real engine."""

from __future__ import annotations

import io
import json
import random
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from explainery.contract.errors import ExplaineryError
from explainery.contract.tensors import pack_result, result_document, result_npz
from workers.batch import Batch
from workers.frame import Frame
from workers.governor import Governor
from workers.local import Local, Order
from workers.questions import Gradients, Internals, Outputs, Values
from workers.registry import discover

METHODS = sorted(name for name, plugin in discover().methods.items() if plugin.SPEC.level == "job")
MODELS = ("mlp", "cnn", "both", "onnx", "onnx-fixed")
ROWS = 25
SETS = ["example"] * 5 + ["one"] * 5 + ["random/0"] * 5 + ["random/1"] * 5 + ["random/2"] * 5
SMALL: dict[str, dict[str, Any]] = {
    "activation_maximization": {"steps": 6},
    "tcav": {"sets": SETS},
    "permutation_importance": {"repeats": 2},
    "partial_dependence": {"grid": 3},
    "ice": {"grid": 3},
    "counterfactual": {"samples": 200, "desired": {"range": [1.0, None]}},
    "anchors": {"samples": 400},
}
"""Parameters that make a method quick, or that it cannot do without."""

pytestmark = pytest.mark.parametrize("method", METHODS)


def home(lab: Local, method: str, model: str) -> str:
    """The model itself, or the same as a table for methods of tables."""
    return f"{model}-table" if lab.registry.methods[method].SPEC.table else model


def order(lab: Local, method: str, model: str, **more: Any) -> Order:
    model = home(lab, method, model)
    rng = np.random.Generator(np.random.Philox(key=[1, len(model)]))
    card = lab.load(model).card
    rows = {spec.name: rng.normal(size=(ROWS, *spec.row_shape)).astype(np.float32) for spec in card.inputs}
    return Order(more.pop("instead", method), rows, SMALL.get(method, {}) | more.pop("params", {}), target=0, **more)


def explain(lab: Local, method: str, model: str, **more: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    result, arrays = lab.explain(home(lab, method, model), order(lab, method, model, **more))
    assert result.report is not None
    return result.report, arrays


def same(a: tuple[dict[str, Any], dict[str, NDArray[Any]]], b: tuple[dict[str, Any], dict[str, NDArray[Any]]]) -> bool:
    """Whether two answers are the same but for what rounds by chunk."""
    close = all(np.allclose(a[1][name], b[1][name], atol=1e-4) for name in a[1])
    return close and a[1].keys() == b[1].keys() and _close(a[0], b[0])


def _close(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_close(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_close, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return bool(np.isclose(a, b, rtol=1e-3, atol=1e-5))
    return isinstance(a, str) or a == b


@pytest.mark.parametrize("model", MODELS)
def test_a_report_and_its_forms(lab: Local, method: str, model: str) -> None:
    """No explanations, a report of plain values, maps as described, and all of it in every form of a result."""
    if lab.registry.methods[method].SPEC.table and model in ("cnn", "both"):
        with pytest.raises(ExplaineryError, match="changes features of a table, and input"):
            lab.explain(model, order(lab, "predict", model, instead=method))
        return
    result, arrays = lab.explain(home(lab, method, model), order(lab, method, model))
    assert result.explanations == ()
    assert json.loads(json.dumps(result.report, allow_nan=False)) == result.report
    blob = pack_result(result, arrays)
    document = result_document(blob)
    assert document["report"] == result.report
    assert document["explanations"] == []
    for described in document["maps"]:
        name = f"maps.{described['name']}" + (f".{described['layer']}" if described["layer"] else "")
        assert list(arrays[name].shape) == described["shape"]
        assert len(described["axes"]) == len(described["shape"])
        np.testing.assert_array_equal(described["data"], arrays[name].reshape(-1))
    with np.load(io.BytesIO(result_npz(blob))) as archive:
        assert set(arrays) <= set(archive.files)
    assert arrays["instance_output"].shape == (0,)


@pytest.mark.parametrize("model", ["mlp", "onnx"])
def test_the_same_again_and_in_company(lab: Local, method: str, model: str) -> None:
    alone, place = explain(lab, method, model, seed=7), home(lab, method, model)
    among = lab.explain_all(
        place, [order(lab, method, model, seed=3), order(lab, method, model, seed=7), order(lab, "saliency", place)]
    )
    assert among[1][0].report is not None
    assert same(alone, (among[1][0].report, among[1][1]))
    assert same(alone, explain(Local(lab.settings), method, model, seed=7))


def test_a_seed_counts_for_random_methods_only(lab: Local, method: str) -> None:
    first, second = (explain(lab, method, "mlp", seed=seed) for seed in (1, 2))
    assert same(first, second) is not lab.registry.methods[method].SPEC.random


def test_out_of_memory_halves_the_chunk(lab: Local, method: str) -> None:
    """`hungry` takes 5 rows at most; `starving` none."""
    report, _ = explain(lab, method, "hungry")
    assert report
    with pytest.raises(ExplaineryError) as refusal:
        explain(lab, method, "starving")
    assert refusal.value.code in ("resource_exhausted", "unknown_layer")  # no layer of it can be found either


def test_few_rows_are_on_the_device_at_a_time(lab: Local, method: str) -> None:
    """And the answer is the same; progress ends where it said it would."""
    loaded = lab.load(home(lab, method, "mlp"))
    batch = Batch(loaded, lab.registry, Governor(), most_rows=4)
    work = batch.admit(lab._claim(loaded, order(lab, method, "mlp")))
    seen = []
    while batch.works:
        batch.plan()
        assert len({id(pending.asker.row.instance) for pending in batch._owners()}) <= 4
        batch.step()
        seen.append(work.advance().done)
    assert work.whole is not None
    assert same((work.whole.report, dict(work.whole.arrays)), _without_outputs(explain(lab, method, "mlp")))
    assert seen == sorted(seen)
    assert 0 < seen[-1] <= work.total


def _without_outputs(answer: tuple[dict[str, Any], dict[str, NDArray[Any]]]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    return answer[0], {name: array for name, array in answer[1].items() if name.startswith("maps.")}


def test_dropped_between_two_chunks(lab: Local, method: str) -> None:
    loaded = lab.load(home(lab, method, "mlp"))
    batch = Batch(loaded, lab.registry, Governor(), most_rows=4)
    work = batch.admit(lab._claim(loaded, order(lab, method, "mlp")))
    batch.plan()
    batch.step()
    batch.drop(work.id)
    batch.plan()
    assert batch.planned_jobs == []
    assert batch.step() == ([], [])


def test_asks_only_what_its_spec_says(lab: Local, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin: Any = lab.registry.methods[method]
    original, asked, tables = plugin.explain_job, [], []

    def recording(view: Any, params: Any) -> Any:
        steps, answers = original(view, params), None
        tables.extend([view.table] if view.table else [])
        while True:
            try:
                questions = steps.send(answers)
            except StopIteration as done:
                return done.value
            asked.extend(question for _, question in questions)
            answers = yield questions

    monkeypatch.setattr(plugin, "explain_job", recording)
    result, _ = lab.explain(home(lab, method, "mlp"), order(lab, method, "mlp"))
    names = {Values: "values", Outputs: "values", Frame: "values", Gradients: "gradients", Internals: "internals"}
    assert {names[type(question)] for question in asked} <= set(plugin.SPEC.asks)
    made = sum(question.instance if isinstance(question, Frame) else question.evaluations for question in asked)
    assert made <= plugin.job_cost(ROWS, result.params, *tables)
    values = plugin.SPEC.asks == ("values",)
    assert (result.cost.model_evaluations, result.cost.gradient_evaluations) == ((made, 0) if values else (0, made))


def test_process_wide_random_state_is_untouched(lab: Local, method: str) -> None:
    lab.load(home(lab, method, "mlp"))  # its factory draws the weights that the file then replaces
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    explain(lab, method, "mlp")
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before


def test_a_method_that_raises_fails_its_job_only(lab: Local, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(view: Any, params: Any) -> Any:
        yield from ()
        raise ZeroDivisionError

    monkeypatch.setattr(lab.registry.methods[method], "explain_job", broken)
    loaded = lab.load(home(lab, method, "mlp"))
    batch = Batch(loaded, lab.registry, Governor(), most_rows=64)
    batch.admit(lab._claim(loaded, order(lab, method, "mlp")))
    other = batch.admit(lab._claim(loaded, order(lab, "saliency", home(lab, method, "mlp"))))
    done, failed = [], []
    while batch.works:
        batch.plan()
        finished, failures = batch.step()
        done += finished
        failed += failures
    assert done == [other]
    (error,) = [error for _, error in failed]
    assert isinstance(error, ExplaineryError)
    assert error.code == "compute_failed"


def test_spec_is_complete(lab: Local, method: str) -> None:
    spec = lab.registry.methods[method].SPEC
    assert spec.name == method
    assert spec.title
    assert spec.summary.endswith(".")
    assert spec.reference
    assert spec.asks
    assert spec.completeness is False
    for param in spec.params:
        assert param.help
        assert param.fault(param.default) is None
