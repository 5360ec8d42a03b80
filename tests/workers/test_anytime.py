"""Methods that sample: stopped at any time they say what is known, and four jobs that go on from each other equal one."""

from __future__ import annotations

import dataclasses
import itertools
import time
from typing import Any

import numpy as np
import pytest
import repos
from numpy.typing import NDArray

from explainery.contract.errors import ComputeError
from explainery.contract.job import Baseline
from explainery.contract.result import Result
from explainery.contract.sampling import SAMPLES, samples_param
from explainery.contract.tensors import header, pack, partial_document, unpack, unpack_result
from explainery.settings import load
from explainery.store.jobs import Claim
from workers.batch import Batch
from workers.local import Local, Order
from workers.partial import partial_of
from workers.registry import discover
from workers.work import Work

METHODS = sorted(name for name, plugin in discover().methods.items() if samples_param(plugin.SPEC))
TOLERANT = {"kernel_shap", "permutation_shapley", "expected_gradients", "owen"}
MORE: dict[str, dict[str, Any]] = {"owen": {"hierarchy": list(range(12))}}
"""Halves of halves would be enumerated: 12 features in them have 94 coalitions."""
LEAST = {"hsic": 34}
ROUGH = {"sobol": 0.5}
"""How far from the whole a third of it may be, as a share of the range; of others a quarter."""
RNG = np.random.Generator(np.random.PCG64(11))
ROWS = RNG.normal(size=(3, 12))
BACKGROUND = RNG.normal(size=(4, 12))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Local:
    folder = tmp_path_factory.mktemp("models")
    for name, factory, datatype in (("double", "nets:double_mlp", "FP64"), ("single", "nets:mlp", "FP32")):
        repos.add_torch(folder, name, factory, {"features": 12}, repos.tensor_input("input", [12], datatype), repos.output(3))
    return Local(dataclasses.replace(load({}), models=str(folder), factories=("nets",), device="cpu", threads=1))


def order(method: str, samples: int, rows: NDArray[Any] = ROWS, tolerance: float = 0.0, **more: Any) -> Order:
    params = {SAMPLES: samples} | ({"tolerance": tolerance} if method in TOLERANT else {}) | MORE.get(method, {})
    return Order(method, {"input": rows}, params, seed=7, **more)


def begun(
    lab: Local, asked: Order, known: bytes | None = None, deadline_s: float | None = None, model: str = "double", **changed: Any
) -> tuple[Batch, Work]:
    claim: Claim = lab._claim(lab.load(model), asked)
    inputs = claim.inputs if known is None else pack({**unpack(claim.inputs), **unpack(known)})
    deadline_ms = None if deadline_s is None else round((time.time() + deadline_s) * 1000)
    spec = claim.spec.model_copy(update={"deadline_s": deadline_s, **changed})
    batch = Batch(lab.load(model), lab.registry, lab.governor, lab.settings.batch_rows)
    return batch, batch.admit(dataclasses.replace(claim, spec=spec, inputs=inputs, deadline_ms=deadline_ms))


def step(batch: Batch) -> Work | None:
    batch.plan()
    finished, failures = batch.step()
    for _, error in failures:
        raise error
    return finished[0] if finished else None


def answered(batch: Batch, _: Work) -> tuple[Work, Result, dict[str, NDArray[Any]]]:
    while (done := step(batch)) is None:
        pass
    return done, *unpack_result(done.result())


def spent(work: Work) -> int:
    return work.model_evaluations + work.gradient_evaluations


def same(one: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]], near: float = 1e-9) -> None:
    assert sorted(one) == sorted(other)
    for name, array in one.items():
        np.testing.assert_allclose(other[name], array, rtol=near, atol=near, err_msg=name)


def test_which_methods_sample() -> None:
    assert {*TOLERANT, "smoothgrad", "var_grad", "square_grad", "rise", "lime"} <= set(METHODS)


@pytest.mark.parametrize("each", [16, 50])
@pytest.mark.parametrize("method", METHODS)
def test_four_times_refined_equals_one_run(lab: Local, method: str, each: int) -> None:
    """At budgets that are no powers of two, too, and where the whole enumerates; it costs no more than the one run."""
    known, total = None, 0
    each = max(each, LEAST.get(method, 0))
    for stage in range(1, 5):
        work, _, chained = answered(*begun(lab, order(method, each * stage), known))
        known = work.packed_answers(2**24)
        assert known is not None
        total += spent(work)
    one, _, single = answered(*begun(lab, order(method, 4 * each)))
    same(single, chained)
    # rounds that grow become fewer, and walks give way to every coalition
    wasted = {"expected_gradients": 1.6, "permutation_shapley": 2.0}.get(method, 1.0)
    assert total <= wasted * spent(one) + 8


@pytest.mark.parametrize("method", sorted(TOLERANT))
def test_a_smaller_tolerance_goes_on_from_a_larger_one(lab: Local, method: str) -> None:
    first, loose, _ = answered(*begun(lab, order(method, 800, tolerance=1.0)))
    second, tight, chained = answered(*begun(lab, order(method, 800, tolerance=1e-9), first.packed_answers(2**24)))
    one, _, single = answered(*begun(lab, order(method, 800, tolerance=1e-9)))
    assert loose.explanations[0].quality.converged
    assert tight.explanations[0].quality.converged is False
    assert 0 < spent(second) < spent(one)
    same(single, chained)


@pytest.mark.parametrize("method", ["kernel_shap", "expected_gradients"])
def test_a_background_set_is_refined_too(lab: Local, method: str) -> None:
    more = {"baseline": Baseline(kind="background"), "arrays": {"background/input": BACKGROUND}}
    first, _, _ = answered(*begun(lab, order(method, 128, **more)))
    _, _, chained = answered(*begun(lab, order(method, 512, **more), first.packed_answers(2**24)))
    same(answered(*begun(lab, order(method, 512, **more)))[2], chained)


def test_in_single_precision_what_differs_is_the_models_own_rounding(lab: Local) -> None:
    first, _, _ = answered(*begun(lab, order("kernel_shap", 200), model="single"))
    _, _, chained = answered(*begun(lab, order("kernel_shap", 800), first.packed_answers(2**24), model="single"))
    same(answered(*begun(lab, order("kernel_shap", 800), model="single"))[2], chained, near=2e-5)


def test_answers_larger_than_the_limit_are_not_kept(lab: Local) -> None:
    work, _, _ = answered(*begun(lab, order("kernel_shap", 200)))
    kept = work.packed_answers(2**24)
    assert kept is not None
    assert work.packed_answers(1000) is None
    assert len(kept) < 3 * 200 * 8 + 1500


def test_another_version_of_the_code_does_not_go_on(lab: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    work, _, _ = answered(*begun(lab, order("kernel_shap", 200)))
    known = work.packed_answers(2**24)
    monkeypatch.setattr("workers.remembering.__version__", "0.0.0")
    with pytest.raises(ComputeError, match="Another version"):
        begun(lab, order("kernel_shap", 400), known)


@pytest.mark.parametrize("method", METHODS)
def test_a_deadline_ends_it_with_what_is_known(lab: Local, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of a question: every row has an estimate with its standard error, near the whole one's."""
    monkeypatch.setattr(lab.governor, "size", lambda kind, elements: 100)
    batch, work = begun(lab, order(method, 1800), deadline_s=3600)
    while spent(work) < 1500:
        assert step(batch) is None
    assert batch.end_early(work.id, "Its deadline ended it.")
    done, result, arrays = answered(batch, work)
    assert done is work
    exact = answered(*begun(lab, order(method, 4096)))[2]["attributions.input"]
    for number, explanation in enumerate(result.explanations):
        assert explanation.quality.converged is False
        assert explanation.quality.verdict in ("pass", "warn")  # its error decides, and the notes say what ended it
        assert "Its deadline ended it." in explanation.quality.notes
        off = np.abs(arrays["attributions.input"][number] - exact[number])
        assert off.max() < ROUGH.get(method, 0.25) * np.ptp(exact[number])
        if method not in ("var_grad", "square_grad"):
            error = arrays["standard_error.input"][number]
            assert (error > 0).any()
            assert (off <= 6 * error + 1e-3 * np.ptp(exact[number])).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_job_ended_by_its_deadline_is_refined(lab: Local, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab.governor, "size", lambda kind, elements: 64)
    batch, work = begun(lab, order(method, 600), deadline_s=3600)
    while spent(work) < 300:
        step(batch)
    assert batch.end_early(work.id, "Its deadline ended it.")
    ended, _, _ = answered(batch, work)
    second, _, chained = answered(*begun(lab, order(method, 600), ended.packed_answers(2**24)))
    one, _, single = answered(*begun(lab, order(method, 600)))
    same(single, chained)
    assert spent(second) < spent(one)


def test_nothing_known_of_a_row_ends_nothing(lab: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab.governor, "size", lambda kind, elements: 8)
    batch, work = begun(lab, order("kernel_shap", 300), deadline_s=3600)
    step(batch)
    assert not batch.end_early(work.id, "Its deadline ended it.")
    same(answered(*begun(lab, order("kernel_shap", 300)))[2], answered(batch, work)[2])


@pytest.mark.parametrize("method", METHODS)
def test_a_budget_is_shared_by_the_rows(lab: Local, method: str) -> None:
    """It costs no more, answers what a job of so few samples does, and says that the budget ended it."""
    work, result, arrays = answered(*begun(lab, order(method, 4096), budget=600))
    assert spent(work) <= 600
    assert spent(work) > 450
    for explanation in result.explanations:
        assert explanation.quality.converged is False
        assert any("The budget of 600 evaluations" in note for note in explanation.quality.notes)
    gradients = lab.registry.methods[method].SPEC.one_baseline
    same(arrays, answered(*begun(lab, order(method, 198 if gradients else 200)))[2])


def test_a_budget_over_a_background_counts_every_evaluation(lab: Local) -> None:
    more = {"baseline": Baseline(kind="background"), "arrays": {"background/input": BACKGROUND}}
    for method in ("kernel_shap", "expected_gradients"):
        work, _, _ = answered(*begun(lab, order(method, 4096, **more), budget=1200))
        assert 900 < spent(work) <= 1200


def test_a_budget_over_the_nearest_rows_counts_the_whole_background_once_a_row(lab: Local) -> None:
    """The baseline's output is the mean over all 200 of them, though 2 stand for what is absent."""
    rows = RNG.normal(size=(200, 12))
    more = {"baseline": Baseline(kind="background", neighbours=2), "arrays": {"background/input": rows}}
    for budget in (1200, 701):
        work, _, _ = answered(*begun(lab, order("kernel_shap", 4096, **more), budget=budget))
        assert 0.8 * budget < spent(work) <= budget


def test_a_budget_too_small_for_the_least_is_refused(lab: Local) -> None:
    batch, _ = begun(lab, order("kernel_shap", 4096), budget=5)
    with pytest.raises(ComputeError, match="A budget of 5 evaluations is too small for 3 rows"):
        answered(batch, _)


@pytest.mark.parametrize("method", METHODS)
def test_a_budget_of_a_job_that_goes_on_counts_what_is_new(lab: Local, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the plan was when a deadline ended the job before."""
    monkeypatch.setattr(lab.governor, "size", lambda kind, elements: 64)
    batch, work = begun(lab, order(method, 800), deadline_s=3600)
    while spent(work) < 700:
        step(batch)
    assert batch.end_early(work.id, "Its deadline ended it.")
    known = answered(batch, work)[0].packed_answers(2**24)
    again, result, _ = answered(*begun(lab, order(method, 800), known, budget=300))
    assert 0 < spent(again) <= 300
    assert all(explanation.quality.converged is False for explanation in result.explanations)


def test_a_budget_that_pays_for_all_changes_nothing(lab: Local) -> None:
    _, result, arrays = answered(*begun(lab, order("kernel_shap", 256), budget=768))
    assert result.explanations[0].quality.converged is None
    same(arrays, answered(*begun(lab, order("kernel_shap", 256)))[2])


@pytest.mark.parametrize("method", METHODS)
def test_a_running_estimate_is_that_of_one_row_and_disturbs_nothing(
    lab: Local, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab.governor, "size", lambda kind, elements: 100)
    batch, work = begun(lab, order(method, 700))
    assert partial_of(batch, work) is None
    seen, steps = [], itertools.count()
    while (done := step(batch)) is None:
        if next(steps) % 3 == 0 and (blob := partial_of(batch, work)) is not None:
            seen.append(partial_document(blob))
            assert header(blob)
    same(answered(*begun(lab, order(method, 700)))[2], unpack_result(done.result())[1])
    assert len(seen) > 2
    assert [each["row"] for each in seen] == sorted(each["row"] for each in seen)
    first = [each for each in seen if each["row"] == 0]
    assert [each["evaluations"] for each in first] == sorted(each["evaluations"] for each in first)
    (attribution,) = seen[-1]["explanation"]["attributions"]
    assert np.shape(attribution["data"]) == (12,)
    if method not in ("var_grad", "square_grad"):
        assert np.shape(attribution["standard_error"]) == (12,)
