"""Jobs of one model together: faults stay with the job that has them, memory running out costs a smaller chunk."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from explainery.contract.errors import ExplaineryError, ModelFailed, ModelOutputNotFinite, ResourceExhausted
from workers.batch import Batch
from workers.governor import Governor
from workers.local import Local, Order
from workers.work import Work


def run(
    lab: Local, model: str, orders: list[Order], governor: Governor | None = None
) -> tuple[dict[int, Work], dict[int, ExplaineryError]]:
    """Work on orders together; what became of each, by its number."""
    loaded = lab.load(model)
    batch = Batch(loaded, lab.registry, governor or Governor(), most_rows=64)
    claims = [lab._claim(loaded, order) for order in orders]
    numbers = {claim.spec.id: number for number, claim in enumerate(claims)}
    for claim in claims:
        batch.admit(claim)
    done: dict[int, Work] = {}
    failed: dict[int, ExplaineryError] = {}
    while batch.works:
        batch.plan()
        finished, failures = batch.step()
        done |= {numbers[work.id]: work for work in finished}
        failed |= {numbers[work.id]: error for work, error in failures}
    return done, failed


def order(row: list[float], method: str = "kernel_shap", **params: Any) -> Order:
    return Order(method, {"input": np.array([row], dtype=np.float32)}, params)


@pytest.mark.parametrize("method", ["kernel_shap", "saliency", "feature_ablation"])
def test_a_model_that_raises_fails_only_the_job_that_makes_it_raise(lab: Local, method: str) -> None:
    done, failed = run(lab, "picky", [order([1, 2, 3], method), order([101, 2, 3], method), order([4, 5, 6], method)])
    assert set(done) == {0, 2}
    assert isinstance(failed[1], ModelFailed)
    assert "secret" not in failed[1].detail


@pytest.mark.parametrize("method", ["kernel_shap", "saliency"])
def test_an_output_that_is_not_finite_fails_only_its_job(lab: Local, method: str) -> None:
    done, failed = run(lab, "picky", [order([1, 2, 3], method), order([60, 2, 3], method)])
    assert set(done) == {0}
    assert isinstance(failed[1], ModelOutputNotFinite)


@pytest.mark.parametrize("method", ["kernel_shap", "smoothgrad", "integrated_gradients"])
def test_out_of_memory_halves_the_chunk_and_changes_no_answer(lab: Local, method: str) -> None:
    """`hungry` takes 5 rows at most; the same weights under another limit are another model, so compare with one row a call."""
    orders = [order([float(n), 2, 3], method) for n in range(12)]
    together, failed = run(lab, "hungry", orders)
    assert not failed
    assert len(together) == 12
    for number in range(12):
        alone, _ = run(lab, "hungry", [orders[number]])
        np.testing.assert_allclose(attribution(together[number]), attribution(alone[0]), atol=1e-6)


def test_not_even_one_evaluation_fits(lab: Local) -> None:
    _, failed = run(lab, "starving", [order([1, 2, 3])])
    assert isinstance(failed[0], ResourceExhausted)


def test_jobs_share_calls(lab: Local) -> None:
    """Sixteen small jobs cost about as many forward calls as one."""
    model = lab.load("mlp").model
    calls: list[int] = []
    forward = model.forward

    def counting(inputs: Any) -> Any:
        calls.append(len(next(iter(inputs.values()))))
        return forward(inputs)

    model.forward = counting  # type: ignore[method-assign]
    try:
        rows: NDArray[Any] = np.random.Generator(np.random.Philox(1)).normal(size=(16, 1, 6)).astype(np.float32)
        done, _ = run(lab, "mlp", [Order("feature_ablation", {"input": row}, {}) for row in rows])
    finally:
        del model.forward
    assert sum(calls) == 16 * (2 + 6)
    assert len(calls) < 16
    assert all(work.company == 16 for work in done.values())


def test_a_job_is_told_of_its_tenant_s_company_alone(lab: Local) -> None:
    loaded = lab.load("linear")
    batch = Batch(loaded, lab.registry, Governor(), most_rows=64)
    claims = [lab._claim(loaded, Order("saliency", {"input": np.ones((1, 4))}, {})) for _ in range(5)]
    tenants = ("acme", "globex", "globex", "acme", "globex")
    claims = [
        dataclasses.replace(claim, spec=claim.spec.model_copy(update={"tenant": tenant}))
        for claim, tenant in zip(claims, tenants, strict=True)
    ]
    works = [batch.admit(claim) for claim in claims]
    assert [(work.company, work.own_company) for work in works] == [(5, 2 if name == "acme" else 3) for name in tenants]
    assert works[0].found([])[0].cost.batch_jobs == 2


def test_a_small_job_does_not_wait_for_a_big_one(lab: Local) -> None:
    loaded = lab.load("linear")
    batch = Batch(loaded, lab.registry, Governor(), most_rows=64)
    big = lab._claim(loaded, Order("smoothgrad", {"input": np.ones((8, 4))}, {"samples": 4096}))
    small = lab._claim(loaded, Order("saliency", {"input": np.ones((1, 4))}, {}))
    batch.admit(big)
    batch.admit(small)
    ended: list[str] = []
    while batch.works:
        batch.plan()
        finished, _ = batch.step()
        ended += [work.id for work in finished]
    assert ended == [small.spec.id, big.spec.id]


def attribution(work: Work) -> NDArray[Any]:
    return np.concatenate([work.answers[row].attributions["input"][None] for row in sorted(work.answers)])


def test_a_method_that_raises_fails_its_job_only(lab: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = lab.registry.methods["occlusion"]

    def broken(game: Any, params: Any) -> Any:
        yield from ()
        raise ZeroDivisionError

    monkeypatch.setattr(plugin, "explain", broken)
    rows = {"input": np.ones((1, 4))}
    done, failed = run(
        lab, "linear", [Order("saliency", rows, {}), Order("occlusion", rows, {}), Order("kernel_shap", rows, {})]
    )
    assert set(done) == {0, 2}
    assert failed[1].code == "compute_failed"
    assert "ZeroDivisionError" in failed[1].detail
