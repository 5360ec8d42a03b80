"""A call that hangs in C for ever is ended with its process; the neighbours finish."""

from __future__ import annotations

import time

import numpy as np
import pytest
import repos
from ledger import Ledger, alive, child
from stacks import Stack, until

LIMIT_S = 3.0
WEIGHTS = [1.0, 2.0, 3.0]
NEIGHBOURS = 12


def models(stack: Stack) -> None:
    repos.add_stub(stack.models, "linear", 3, weights=WEIGHTS, delay_s=0.002)


def among_neighbours(stack: Stack, hangs: str) -> tuple[str, list[str]]:
    """Submit a job that hangs between others; its id, and theirs."""
    rows = np.arange(NEIGHBOURS)[:, None] + np.ones((1, 3))
    half = NEIGHBOURS // 2
    before = [stack.submit("linear", "treacherous", [row.tolist()]) for row in rows[:half]]
    hanging = stack.submit("linear", "treacherous", [[1.0, 1.0, 0.5]], params={"hangs": hangs})
    after = [stack.submit("linear", "treacherous", [row.tolist()]) for row in rows[half:]]
    return hanging, before + after


def assert_neighbours_finish(stack: Stack, ids: list[str], within_s: float) -> None:
    for number, job_id in enumerate(ids):
        ended = stack.ended(job_id, within_s)
        assert ended["status"] == "succeeded", ended
        data = stack.result(job_id)["explanations"][0]["attributions"][0]["data"]
        np.testing.assert_allclose(data, [(number + 1) * weight for weight in WEIGHTS], atol=1e-6)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_call_that_hangs_is_ended_at_its_limit(stack_of, workers):
    stack = stack_of(models, WORKERS=workers, JOB_LIMIT_S=f"{LIMIT_S:g}")
    ledger = Ledger.of(stack)
    before = [child(stack, f"worker-{number}") for number in range(1, int(workers) + 1)]
    began = time.monotonic()
    hanging, neighbours = among_neighbours(stack, "released")
    holder = until(lambda: next((pid for pid in before if hanging in ledger.held_by(pid)), None))
    ended = stack.ended(hanging, within_s=3.5 * LIMIT_S)
    seconds = time.monotonic() - began
    assert (ended["status"], ended["error"]["code"]) == ("failed", "time_limit_exceeded")
    assert seconds >= LIMIT_S
    assert_neighbours_finish(stack, neighbours, within_s=10)
    until(lambda: not alive(holder))  # and its memory with it
    assert all(child(stack, f"worker-{number}") != holder for number in range(1, int(workers) + 1))
    ledger.close()


def test_a_call_that_holds_the_interpreters_lock_is_ended_too(stack_of):
    """No beat can happen: a thread of C ends the process, and the lease runs out meanwhile."""
    stack = stack_of(models, JOB_LIMIT_S=f"{LIMIT_S:g}", MAX_ATTEMPTS="2", LEASE_S="1")
    ledger = Ledger.of(stack)
    before = [child(stack, f"worker-{number}") for number in (1, 2)]
    hanging, neighbours = among_neighbours(stack, "held")
    holder = until(lambda: next((pid for pid in before if hanging in ledger.held_by(pid)), None))
    ended = stack.ended(hanging, within_s=60)
    assert ended["status"] == "failed"
    assert ended["error"]["code"] in ("worker_lost", "time_limit_exceeded")
    assert (ended["quarantine"] is not None) == (ended["error"]["code"] == "worker_lost")
    assert_neighbours_finish(stack, neighbours, within_s=60)
    until(lambda: not alive(holder), within_s=60)
    ledger.close()
