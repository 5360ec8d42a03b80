"""The engine on a real ledger: claims, publishes, lets go of what is no longer its own."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from redis import Redis

from explainery.contract.job import Baseline, JobSpec, JobState, ModelRef
from explainery.contract.tensors import pack, unpack_result
from explainery.settings import Settings
from explainery.store.ids import new_job_id
from explainery.store.jobs import JobStore
from workers.engine import Engine
from workers.local import Local


class Bells:
    """Notes who was rung for."""

    def __init__(self) -> None:
        self.rung: list[str] = []

    def ring(self, whom: str | None) -> None:
        if whom is not None:
            self.rung.append(whom)


class Shop:
    """A ledger and workers on it, in this process."""

    def __init__(self, lab: Local, url: str) -> None:
        self.settings: Settings = dataclasses.replace(lab.settings, redis_url=url, lease_s=1.0)
        self.lab = lab
        self.redis: Redis = Redis.from_url(url)
        self.store = JobStore(self.redis, self.settings)
        self.bells = Bells()

    def engine(self, name: str = "w1") -> Engine:
        return Engine(self.settings, name, self.store, self.lab.registry, self.lab.models, self.bells)

    def submit(self, model: str, method: str = "saliency", rows: Any = ((1.0, 1.0, 1.0, 1.0),), **more: Any) -> JobSpec:
        found = self.lab.repository.find(model, 1)
        array = np.array(rows, dtype=np.float64 if found.card and found.card.inputs[0].datatype == "FP64" else np.float32)
        params = self.lab.registry.methods[method].SPEC.complete(more.pop("params", {}))
        spec = JobSpec(
            id=new_job_id(),
            model=more.pop("ref", ModelRef(name=model, version="1", digest=found.digest)),
            method=method,
            method_requested=method,
            params=params,
            rows=len(array),
            target=("predicted",) * len(array),
            baseline=Baseline(kind="zeros"),
            seed=0,
            **more,
        )
        self.store.admit(spec, pack({"input/input": array}))
        return spec

    def state(self, spec: JobSpec) -> JobState:
        return self.store.get(spec.id).status


@pytest.fixture
def shop(lab: Local, redis_url: str) -> Iterator[Shop]:
    made = Shop(lab, redis_url)
    yield made
    made.redis.close()


def in_thread(action: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=action)
    thread.start()
    return thread


def until(look: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 20
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.005)


SLOW = {"samples": 4096}


def slowed(shop: Shop, monkeypatch: pytest.MonkeyPatch, seconds: float = 0.02) -> None:
    """Make every gradient call of the linear stub take a while."""
    model = shop.lab.load("linear").model
    plain = model.gradients

    def slow(inputs: Any, columns: Any) -> Any:
        time.sleep(seconds)
        return plain(inputs, columns)

    monkeypatch.setattr(model, "gradients", slow)


def test_drain_answers_all_that_waits(shop: Shop) -> None:
    specs = [shop.submit("linear", rows=[[float(n), 1.0, 1.0, 1.0]], method="exact_shapley") for n in range(10)]
    shop.engine().drain("any")
    for number, spec in enumerate(specs):
        result, arrays = unpack_result(shop.store.result(spec.id))
        np.testing.assert_allclose(arrays["attributions.input"][0], np.array([number, 1, 1, 1]) * [2, -1, 0.5, 3])
        assert result.cost.batch_jobs == 10
        assert result.environment["device"] == "cpu"
    assert shop.bells.rung == []


def test_a_drain_of_nothing_is_no_work(shop: Shop) -> None:
    shop.engine().drain("any")


def test_jobs_that_arrive_meanwhile_join(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    slowed(shop, monkeypatch)
    big = shop.submit("linear", "smoothgrad", params=SLOW)
    thread = in_thread(lambda: shop.engine().drain("any"))
    until(lambda: shop.state(big) is JobState.RUNNING)
    small = shop.submit("linear")
    until(lambda: shop.state(small) is JobState.SUCCEEDED)
    assert shop.state(big) is JobState.RUNNING
    thread.join()
    assert shop.state(big) is JobState.SUCCEEDED
    assert unpack_result(shop.store.result(small.id))[0].cost.batch_jobs == 2


def test_a_canceled_job_is_dropped_and_its_worker_goes_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    slowed(shop, monkeypatch)
    engine, spec = shop.engine(), shop.submit("linear", "smoothgrad", rows=[[1.0] * 4] * 50, params=SLOW)
    thread = in_thread(lambda: engine.drain("any"))
    until(lambda: shop.state(spec) is JobState.RUNNING)
    shop.store.cancel(spec.id)
    engine.hands.lose(shop.store.renew("w1", engine.held()))
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert shop.state(spec) is JobState.CANCELED
    assert engine.held() == []


def test_a_deadline_is_seen_between_chunks(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    slowed(shop, monkeypatch)
    spec = shop.submit("linear", "smoothgrad", rows=[[1.0] * 4] * 50, params=SLOW, deadline_s=0.3)
    shop.engine().drain("any")
    job = shop.store.get(spec.id)
    assert (job.status, job.error and job.error.code) == (JobState.EXPIRED, "deadline_exceeded")


def test_a_late_result_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first worker sleeps through its lease; the second one's result stands, published once."""
    slowed(shop, monkeypatch, seconds=0.6)
    spec = shop.submit("linear", "smoothgrad", params={"samples": 40, "noise": 0.0})
    first = in_thread(lambda: shop.engine("sleeper").drain("any"))
    until(lambda: shop.state(spec) is JobState.RUNNING)
    until(lambda: shop.store.reap(backlog=0).requeued == 1)
    monkeypatch.undo()
    shop.engine("second").drain("any")
    stored = shop.store.result(spec.id)
    revision = shop.store.get(spec.id).revision
    first.join()
    assert shop.store.result(spec.id) == stored
    assert shop.store.get(spec.id).revision == revision
    assert shop.store.get(spec.id).attempts == 2


def test_another_digest_is_not_answered_for(shop: Shop) -> None:
    other = ModelRef(name="linear", version="1", digest="sha256:" + "0" * 64)
    spec = shop.submit("linear", ref=other)
    shop.engine().drain("any")
    job = shop.store.get(spec.id)
    assert job.error is not None
    assert (job.status, job.error.code) == (JobState.FAILED, "model_changed")


def test_progress_is_reported(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    slowed(shop, monkeypatch)
    engine, spec = shop.engine(), shop.submit("linear", "smoothgrad", rows=[[1.0] * 4] * 10, params=SLOW)
    thread = in_thread(lambda: engine.drain("any"))
    until(lambda: engine.held() and engine.held()[0].done > 0)
    shop.store.renew("w1", engine.held())
    progress = shop.store.get(spec.id).progress
    thread.join()
    assert progress is not None
    assert (progress.unit, progress.total) == ("gradient_evaluations", 40960)
    assert 0 < progress.done < progress.total


def test_a_worker_that_is_asked_to_leave_takes_nothing_new(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    slowed(shop, monkeypatch)
    engine, spec = shop.engine(), shop.submit("linear", "smoothgrad", params={"samples": 200})
    thread = in_thread(lambda: engine.drain("any"))
    until(lambda: shop.state(spec) is JobState.RUNNING)
    engine.leave = lambda: True
    late = shop.submit("linear")
    thread.join()
    assert shop.state(spec) is JobState.SUCCEEDED
    assert shop.state(late) is JobState.QUEUED
    assert shop.bells.rung == ["any"]


def test_an_engine_that_breaks_fails_what_it_held(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = shop.submit("linear")
    monkeypatch.setattr("workers.batch.Batch.step", lambda self: 1 / 0)
    engine = shop.engine()
    engine.drain("any")
    assert shop.state(spec) is JobState.FAILED
    assert engine.held() == []
