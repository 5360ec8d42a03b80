"""Work goes on after something died under `explainery up`, or without it; `make chaos` also measures how soon."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
import repos
from ledger import Ledger, child, kill
from lone import LoneWorkers
from proxy import Proxy
from redis import Redis
from stacks import Stack, until

from explainery.contract.job import Baseline, JobSpec, JobState, ModelRef
from explainery.contract.tensors import pack
from explainery.store.bell import Bell
from explainery.store.catalogue import CatalogueStore
from explainery.store.ids import new_job_id
from explainery.store.jobs import JobStore
from explainery.store.keys import key

WORKER_S = 2.0
REDIS_S = 3.0
LEASE_S = 2.0
ROW = [[1.0, 1.0, 1.0]]
LONG_JOB = {"samples": 700, "noise": 0.0}
PACED = {"samples": 20, "noise": 0.0}


def slow_model(stack: Stack) -> None:
    repos.add_stub(stack.models, "slow", 3, weights=[1.0, 2.0, 3.0], delay_s=0.005)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_job_runs_again_soon_after_its_worker_died(stack_of, workers, measured):
    stack = stack_of(slow_model, WORKERS=workers, LEASE_S="10")  # no lease runs out: the supervisor gives the job back
    until((stack.home / "run" / "understudy.pid").exists)
    until(lambda: "rehearsed" in (stack.home / "logs" / "understudy.log").read_text())
    ledger = Ledger.of(stack)
    job_id = stack.submit("slow", "smoothgrad", ROW, params=LONG_JOB)
    pids = [child(stack, f"worker-{number}") for number in range(1, int(workers) + 1)]
    holder = until(lambda: next((pid for pid in pids if job_id in ledger.held_by(pid)), None))
    until(lambda: (stack.job(job_id)["progress"] or {"done": 0})["done"] > 0)
    os.kill(holder, signal.SIGKILL)
    killed = time.monotonic()
    until(lambda: ledger.tries([job_id])[job_id] == ("running", 2))
    seconds = time.monotonic() - killed
    ledger.close()
    measured(f"job runs again after its worker was killed, under up with {workers}", seconds, WORKER_S)
    assert stack.ended(job_id)["attempts"] == 2


def test_without_a_supervisor_a_job_runs_again_when_its_lease_has_ended(tmp_path, redis_server, redis_url, outside, measured):
    repos.add_stub(tmp_path / "models", "slow", 3, weights=[1.0, 2.0, 3.0], delay_s=0.005)
    workers = LoneWorkers(tmp_path, redis_url, EXPLAINERY_LEASE_S=f"{LEASE_S:g}")
    outside.callback(workers.stop)
    settings = replace(workers.settings, lease_s=LEASE_S)
    processes = [workers.start(), workers.start()]
    ledger = Ledger(redis_server.port)
    with Redis.from_url(redis_url) as redis:
        store = JobStore(redis, settings)
        until(lambda: redis.zcard(key("workers")) == 2, within_s=60)
        [offer] = until(lambda: CatalogueStore(redis, settings).offer().models)  # told a moment after
        spec = slow_job(ModelRef(name=offer.name, version=str(offer.version), digest=offer.digest))
        Bell(settings).ring(store.admit(spec, pack({"input/input": np.ones((1, 3)), "baseline/input": np.zeros((1, 3))})).ring)
        holder = until(lambda: next((process for process in processes if spec.id in ledger.held_by(process.pid)), None))
        until(lambda: ledger.done(spec.id) > 0)
        holder.kill()
        holder.wait()
        killed = time.monotonic()
        until(lambda: ledger.tries([spec.id])[spec.id] == ("running", 2))
        measured("job runs again after its worker was killed, no supervisor, lease 2 s", time.monotonic() - killed, LEASE_S + 2)
        until(lambda: store.get(spec.id).status.ended)
        assert store.get(spec.id).status is JobState.SUCCEEDED
    ledger.close()


def slow_job(model: ModelRef) -> JobSpec:
    return JobSpec(
        id=new_job_id(),
        model=model,
        method="smoothgrad",
        method_requested="smoothgrad",
        params=LONG_JOB,
        rows=1,
        target=(None,),
        baseline=Baseline(kind="zeros"),
        seed=0,
    )


def test_work_goes_on_soon_after_redis_is_back(stack_of, measured):
    stack = stack_of(slow_model)
    ledger = Ledger.of(stack)
    ids = [stack.submit("slow", "smoothgrad", [[1.0, 1.0, float(n)]], params=PACED) for n in range(40)]
    until(lambda: ledger.count("ended_succeeded") > 3)
    pid = kill(stack, "redis")
    until(lambda: child(stack, "redis") != pid and ledger.answers())
    back, before = time.monotonic(), ledger.count("ended_succeeded")
    until(lambda: ledger.count("ended_succeeded") > before)
    seconds = time.monotonic() - back
    assert before < len(ids)  # or there was nothing left to go on with
    measured("a job ends after Redis is back", seconds, REDIS_S)
    assert all(stack.ended(job_id)["status"] == "succeeded" for job_id in ids)
    ledger.close()


def test_work_goes_on_soon_after_a_cut_connection_is_mended(stack_of, redis_server, redis_url, outside, measured):
    proxy = outside.enter_context(Proxy(redis_server.port))
    stack = stack_of(slow_model, REDIS_URL=f"redis://127.0.0.1:{proxy.port}/0")
    ledger = Ledger(redis_server.port)
    ids = [stack.submit("slow", "smoothgrad", [[1.0, 2.0, float(n)]], params=PACED) for n in range(50)]
    until(lambda: ledger.count("ended_succeeded") > 3)
    assert proxy.connections > 0
    proxy.refuse()
    time.sleep(0.5)  # how long the network is away
    proxy.accept()
    mended, before = time.monotonic(), ledger.count("ended_succeeded")
    until(lambda: ledger.count("ended_succeeded") > before)
    seconds = time.monotonic() - mended
    assert before < len(ids)
    measured("a job ends after the network is back", seconds, REDIS_S)
    assert all(stack.ended(job_id)["status"] == "succeeded" for job_id in ids)
    assert ledger.count("ended_succeeded") == len(ids)
    ledger.close()
