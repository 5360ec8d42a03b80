"""Any number of rows from Python, and results as others like to have them, against the real service."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pandas as pd
import pytest

from explainery import AsyncClient, Client, ExplanationResult, JobFailed, ServiceError
from explainery.client.events import Event
from explainery.contract.errors import InvalidInput
from explainery.contract.job import JobState

NAMES = ["age", "income", "debt"]
WEIGHTS = np.array([1.0, 2.0, 3.0])
EXACT = {"method": "exact_shapley", "target": None, "baseline": "zeros"}


@pytest.fixture
def client(service) -> Iterator[Client]:
    with Client(service.url) as made:
        yield made


def table(rows: int) -> pd.DataFrame:
    draw = np.random.default_rng(rows)
    return pd.DataFrame(draw.normal(size=(rows, 3)), columns=NAMES, index=[f"loan-{number}" for number in range(rows)])


def test_a_table_is_explained_row_by_row_in_order(client: Client):
    frame, told = table(57), []
    found = list(
        client.explain_many("linear", frame, **EXACT, rows_per_job=10, jobs_ahead=3, progress=lambda *how: told.append(how))
    )
    assert [each.index for each in found] == [[name] for name in frame.index]
    whole = ExplanationResult.joined(found)
    np.testing.assert_allclose(whole.values, frame.to_numpy() * WEIGHTS, atol=1e-9)
    np.testing.assert_allclose(whole.data, frame.to_numpy())
    assert (whole.feature_names, len(whole)) == (NAMES, 57)
    assert told == [(number, 57) for number in range(1, 58)]


def test_columns_may_stand_in_any_order(client: Client):
    frame = table(4)[["debt", "age", "income"]]
    whole = ExplanationResult.joined(client.explain_many("linear", frame, **EXACT, progress=False))
    np.testing.assert_allclose(whole.to_frame()[["debt", "age", "income"]], frame.to_numpy() * [3.0, 1.0, 2.0], atol=1e-9)
    assert whole.to_frame().index.tolist() == frame.index.tolist()
    np.testing.assert_allclose(whole.data, frame[NAMES].to_numpy())


def test_an_iterator_is_read_no_further_than_needed(client: Client):
    read = []

    def rows() -> Iterator[np.ndarray]:
        for number in range(10_000):
            read.append(number)
            yield np.array([number, 0.0, 1.0])

    many = client.explain_many("linear", rows(), **EXACT, rows_per_job=5, jobs_ahead=2, progress=False)
    first = [next(many) for _ in range(6)]
    np.testing.assert_allclose([each.values[0] for each in first], [[number, 0.0, 3.0] for number in range(6)], atol=1e-9)
    assert len(read) <= 5 * (2 + 1)
    many.close()


def test_memory_does_not_grow_with_the_rows(client: Client):
    """What is held at the end of 1,200 rows is what was held after 200."""
    rows = (np.full(3, number) for number in range(1200))
    held = []
    tracemalloc.start()
    for number, _ in enumerate(client.explain_many("linear", rows, **EXACT, rows_per_job=100, jobs_ahead=2, progress=False)):
        if number in (199, 1199):
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert held[1] < held[0] + 200_000  # a hundred results are more than that


def test_whoever_leaves_cancels_what_is_under_way(client: Client):
    rows = iter(np.random.default_rng(3).normal(size=(500, 3)))
    many = client.explain_many("slow", rows, **EXACT, rows_per_job=2, jobs_ahead=3, progress=False, decision_id="left")
    next(many)
    many.close()
    states = [client.wait(job, 60).status for job in client.jobs(decision_id="left")]
    assert len(states) == 3
    assert set(states) <= {JobState.SUCCEEDED, JobState.CANCELED}
    assert JobState.CANCELED in states


def test_the_same_key_goes_on_where_it_stopped(client: Client):
    frame = table(20)
    how = {**EXACT, "rows_per_job": 5, "progress": False, "decision_id": "key", "idempotency_key": "run-1"}
    many = client.explain_many("linear", frame, jobs_ahead=2, **how)
    for _ in range(6):
        next(many)
    many.close()
    done = {job.id for job in client.jobs(decision_id="key") if client.wait(job).status is JobState.SUCCEEDED}
    again = client.explain_many("linear", frame.iloc[:10], jobs_ahead=2, **how)
    first = [next(again) for _ in range(5)]
    again.close()
    assert {each.result.id for each in first} <= done


def test_the_same_key_asks_anew_for_what_was_canceled_when_it_stopped(client: Client):
    rows = np.random.default_rng(5).normal(size=(6, 3))
    how = {**EXACT, "rows_per_job": 2, "jobs_ahead": 3, "progress": False, "idempotency_key": "run-2"}
    many = client.explain_many("slow", rows, **how, decision_id="stopped")
    next(many)
    many.close()
    assert JobState.CANCELED in {client.wait(job).status for job in client.jobs(decision_id="stopped")}
    whole = ExplanationResult.joined(client.explain_many("slow", rows, **how, decision_id="stopped"))
    np.testing.assert_allclose(whole.values, rows * WEIGHTS, atol=1e-9)


def test_a_job_that_fails_ends_it(client: Client):
    rows = [{"left": [1.0, 2.0], "right": [3.0]}] * 3
    with pytest.raises(JobFailed) as raised:
        list(client.explain_many("broken", rows, "exact_shapley", target="no", progress=False))
    assert raised.value.job.error is not None
    with pytest.raises(ServiceError) as refused:
        list(client.explain_many("nobody", rows, progress=False))
    assert refused.value.code == "unknown_model"


def test_what_cannot_be_meant_is_refused(client: Client):
    with pytest.raises(InvalidInput, match="one target"):
        list(client.explain_many("linear", [[1, 2, 3]], target=[0, 1]))
    with pytest.raises(InvalidInput, match="columns by name make a DataFrame"):
        list(client.explain_many("linear", {"age": [1]}))
    with pytest.raises(InvalidInput, match="names that differ"):
        list(client.explain_many("linear", pd.DataFrame([[1, 2]], columns=["a", "a"])))
    assert list(client.explain_many("linear", [])) == []


def test_a_bar_is_drawn_on_a_terminal(client: Client, monkeypatch: pytest.MonkeyPatch):
    import io
    import sys

    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", terminal)
    list(client.explain_many("linear", table(7), **EXACT))
    assert "7/7" in terminal.getvalue()


# --- the client that awaits


async def _many(url: str) -> tuple[ExplanationResult, list[ExplanationResult], list[Event], int]:
    async def rows() -> AsyncIterator[list[float]]:
        for number in range(7):
            await asyncio.sleep(0)
            yield [float(number), 0.0, 1.0]

    async with AsyncClient(url) as client:
        one = await client.explain("linear", np.eye(3), **EXACT)
        job = await client.submit("linear", np.eye(3), **EXACT)
        events = [event async for event in client.events(job)]
        many = [each async for each in client.explain_many("linear", rows(), **EXACT, rows_per_job=3, progress=False)]
        left = client.explain_many("linear", rows(), **EXACT, rows_per_job=3, progress=False)
        await anext(left)
        await left.aclose()
        listed = 0
        async for _ in client.jobs(model="linear"):
            listed += 1
        with pytest.raises(ServiceError, match="never been a job"):
            await client.job("0" * 26)
        assert await client.ready()
    return one, many, events, listed


def test_the_client_that_awaits_does_the_same(service):
    one, many, events, listed = asyncio.run(_many(service.url))
    np.testing.assert_allclose(one.values, np.diag(WEIGHTS), atol=1e-9)
    np.testing.assert_allclose(ExplanationResult.joined(many).values[:, 0], range(7), atol=1e-9)
    assert events[-1].status == "succeeded"
    assert listed > 3


def test_both_clients_have_the_same_methods():
    import inspect

    def methods(kind: type) -> dict[str, object]:
        found = {name: method for name, method in vars(kind).items() if not name.startswith("_")}
        return {name: list(inspect.signature(method).parameters.values()) for name, method in found.items()}

    assert methods(Client) == methods(AsyncClient)
    assert list(inspect.signature(Client("http://127.0.0.1:1").submit).parameters)[:3] == ["model", "inputs", "method"]
    assert "idempotency_key" in (Client.submit.__doc__ or "")
