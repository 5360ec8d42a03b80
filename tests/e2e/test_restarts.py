"""Processes end and start while work goes on, by every signal that operators send; old and new workers live side by side."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import repos
from lone import LoneWorkers
from redis import Redis
from stacks import Stack, until, write_models

from explainery import Client
from explainery.contract.job import Baseline, JobSpec, JobState, ModelRef
from explainery.contract.tensors import pack
from explainery.store.bell import Bell
from explainery.store.ids import new_job_id
from explainery.store.jobs import JobStore
from explainery.store.keys import key

ROW = [[1.0, 1.0, 1.0]]
EXPECTED = [1.0, 2.0, 3.0]
LONG = {"samples": 300, "noise": 0.0}


def attributions(stack: Stack, job_id: str) -> list[float]:
    return list(stack.result(job_id)["explanations"][0]["attributions"][0]["data"])


def under_way(stack: Stack, job_id: str) -> bool:
    return bool((stack.job(job_id)["progress"] or {"done": 0})["done"])


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Stack]:
    """A stack whose workers give back what they hold soon after they are asked to leave. No lease ends during a test."""
    running = Stack(tmp_path, EXPLAINERY_LEASE_S="60", EXPLAINERY_GRACE_S="0.2")
    write_models(running.models)
    running.start()
    yield running
    assert running.stop() == 0


SIGNALS = [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT], [signal.SIGQUIT]]


@pytest.mark.parametrize("signals", SIGNALS, ids=["SIGTERM", "SIGINT twice", "SIGQUIT"])
def test_a_worker_that_is_asked_to_leave_gives_back_what_it_holds(impatient, signals):
    """It runs again though no lease has ended, and is not counted among those that take workers with them."""
    job_id = impatient.submit("slow", "smoothgrad", ROW, params=LONG)
    until(lambda: under_way(impatient, job_id))
    pid = impatient.pid("worker-1")
    for number in signals:
        os.kill(pid, number)
        time.sleep(0.1)  # two signals of one kind that are pending at once are one
    np.testing.assert_allclose(attributions(impatient, job_id), EXPECTED, atol=1e-9)
    assert impatient.job(job_id)["attempts"] == 2
    assert impatient.pid("worker-1") != pid
    with Redis(port=int((impatient.home / "redis" / "port").read_text())) as redis:
        losses = int(redis.hget(key("job", job_id), "losses"))
    assert losses == 0


@pytest.mark.parametrize("signals", SIGNALS, ids=["SIGTERM", "SIGINT twice", "SIGQUIT"])
def test_up_ends_in_good_order_and_its_successor_goes_on(tmp_path, signals):
    stack = Stack(tmp_path, EXPLAINERY_GRACE_S="0.2")
    write_models(stack.models)
    stack.start()
    running = stack.submit("slow", "smoothgrad", ROW, params=LONG)
    until(lambda: under_way(stack, running))
    waiting = stack.submit("slow", "saliency", ROW)
    for number in signals:
        stack._process.send_signal(number)
        time.sleep(0.1)
    assert stack.ended_by_itself() == 0
    assert not list((tmp_path / "run").glob("*.pid"))
    stack.start()
    for job_id in (running, waiting):
        np.testing.assert_allclose(attributions(stack, job_id), EXPECTED, atol=1e-9)
    assert stack.stop() == 0


# --- the API, while clients wait


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_a_client_whose_long_poll_is_cut_learns_the_end_all_the_same(fragile, number):
    job_id = fragile.submit("slow", "smoothgrad", ROW, params=LONG)
    until(lambda: fragile.job(job_id)["status"] == "running")
    polls = threading.Event()
    ended = []

    def wait() -> None:
        with Client(str(fragile.http.base_url)) as client:
            ended.append(client.wait(job_id, timeout_s=60, progress=lambda job: polls.set()))

    client = threading.Thread(target=wait)
    client.start()
    assert polls.wait(10)
    pid = fragile.pid("service")
    os.kill(pid, number)
    client.join(60)
    assert [job.status for job in ended] == [JobState.SUCCEEDED]
    until(lambda: fragile.pid("service") != pid)


def test_an_api_that_is_asked_to_stop_answers_who_waits(fragile):
    """Its last word to a long poll is the job as it is, not a cut line."""
    job_id = fragile.submit("slow", "smoothgrad", ROW, params={"samples": 2000, "noise": 0.0})
    answers = []

    def poll() -> None:
        revision = fragile.http.get(f"/v1/explanations/{job_id}").headers["ETag"]
        asked.set()
        while not answers:
            answer = httpx.get(
                f"{fragile.http.base_url}/v1/explanations/{job_id}",
                headers={"Prefer": "wait=25", "If-None-Match": revision},
                timeout=40,
            )
            revision = answer.headers.get("ETag", revision)
            if stopping.is_set():
                answers.append(answer.status_code)

    asked, stopping = threading.Event(), threading.Event()
    client = threading.Thread(target=poll)
    client.start()
    assert asked.wait(10)
    stopping.set()
    pid = fragile.pid("service")
    os.kill(pid, signal.SIGTERM)
    client.join(40)
    assert answers
    assert answers[0] in (200, 304)
    until(lambda: fragile.pid("service") != pid)
    fragile.http.delete(f"/v1/explanations/{job_id}")


# --- old and new side by side


@pytest.fixture
def lone_workers(tmp_path: Path, redis_url: str) -> Iterator[LoneWorkers]:
    repos.add_stub(tmp_path / "models", "linear", 3, weights=EXPECTED, bias=1.0)
    workers = LoneWorkers(tmp_path, redis_url)
    yield workers
    workers.stop()


NEWER = "import explainery.contract.job as job, explainery.store.jobs as jobs\njobs.FORM = 2"


def test_an_old_worker_leaves_newer_records_to_a_newer_one(lone_workers, redis_url):
    """Rolling upgrade: the old worker works on beside records it cannot read; the new one, once it is there, takes both."""
    with Redis.from_url(redis_url) as redis:
        store, bell = JobStore(redis, lone_workers.settings), Bell(lone_workers.settings)
        inputs = pack({"input/input": np.ones((1, 3)), "baseline/input": np.zeros((1, 3))})
        lone_workers.start()
        until(lambda: _offered(redis), within_s=60)  # a worker is known before it has said what it offers
        [digest] = _offered(redis)
        newer = _spec(digest, form=2)
        if whom := store.admit(newer, inputs).ring:
            bell.ring(whom)
        ids = []
        for _ in range(3):  # the old worker is awake, and does what it knows
            spec = _spec(digest)
            ids.append(spec.id)
            if whom := store.admit(spec, inputs).ring:
                bell.ring(whom)
            until(lambda spec=spec: store.get(spec.id).status is JobState.SUCCEEDED)
        assert store.get(newer.id).status is JobState.QUEUED
        assert store.get(newer.id).attempts == 0
        lone_workers.start(NEWER)
        until(lambda: store.get(newer.id).status.ended, within_s=60)
        assert store.get(newer.id).status is JobState.SUCCEEDED
        assert all(store.get(job_id).attempts == 1 for job_id in ids)


def _offered(redis: Redis) -> set[str]:
    """Digests of the models that workers offer."""
    offers = [json.loads(value) for name in redis.scan_iter(key("offer", "*")) if (value := redis.get(name))]
    return {model["digest"] for offer in offers for model in offer["models"]}


def _spec(digest: str, form: int = 1) -> JobSpec:
    return JobSpec(
        format=form,
        id=new_job_id(),
        model=ModelRef(name="linear", version="1", digest=digest),
        method="saliency",
        method_requested="saliency",
        params={},
        rows=1,
        target=(None,),
        baseline=Baseline(kind="zeros"),
        seed=0,
    )
