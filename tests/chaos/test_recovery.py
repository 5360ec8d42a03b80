"""How soon work goes on after something died under `explainery up`."""

from __future__ import annotations

import os
import signal
import time

import pytest
import repos
from ledger import Ledger, child, kill
from proxy import Proxy
from stacks import Stack, until

WORKER_S = 2.0
REDIS_S = 3.0
ROW = [[1.0, 1.0, 1.0]]
LONG_JOB = {"samples": 700, "noise": 0.0}
PACED = {"samples": 20, "noise": 0.0}


def slow_model(stack: Stack) -> None:
    repos.add_stub(stack.models, "slow", 3, weights=[1.0, 2.0, 3.0], delay_s=0.005)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_job_runs_again_soon_after_its_worker_died(stack_of, workers):
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
    assert seconds <= WORKER_S
    assert stack.ended(job_id)["attempts"] == 2


def test_work_goes_on_soon_after_redis_is_back(stack_of):
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
    assert seconds <= REDIS_S
    assert all(stack.ended(job_id)["status"] == "succeeded" for job_id in ids)
    ledger.close()


def test_work_goes_on_soon_after_a_cut_connection_is_mended(stack_of, redis_server, redis_url, outside):
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
    assert seconds <= REDIS_S
    assert all(stack.ended(job_id)["status"] == "succeeded" for job_id in ids)
    assert ledger.count("ended_succeeded") == len(ids)
    ledger.close()
