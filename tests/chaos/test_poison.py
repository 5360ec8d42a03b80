"""A job that kills its worker is put aside; those that were in hand with it come through."""

from __future__ import annotations

import os

import numpy as np
import pytest
import repos
from ledger import Ledger
from stacks import Stack

IS_LONG = "EXPLAINERY_CHAOS_RUNS" in os.environ
JOBS = 200 if IS_LONG else 20
WEIGHTS = [1.0, 2.0, 3.0]
MAX_ATTEMPTS = 3


def models(stack: Stack) -> None:
    repos.add_stub(stack.models, "linear", 3, weights=WEIGHTS, delay_s=0.002)


@pytest.mark.timeout(400)
def test_one_job_kills_its_workers_and_no_neighbour_suffers(stack_of):
    stack = stack_of(models, MAX_ATTEMPTS=str(MAX_ATTEMPTS))
    rows = np.random.default_rng(0).normal(size=(JOBS, 1, 3))
    poison_at = JOBS // 3
    ids = [
        stack.submit("linear", "treacherous", row.tolist(), params={"deadly": number == poison_at})
        for number, row in enumerate(rows)
    ]
    ended = [stack.ended(job_id, within_s=90) for job_id in ids]
    poison, innocents = ended[poison_at], ended[:poison_at] + ended[poison_at + 1 :]
    assert (poison["status"], poison["error"]["code"]) == ("failed", "worker_lost")
    assert poison["attempts"] == MAX_ATTEMPTS
    assert poison["quarantine"]["losses"] == MAX_ATTEMPTS
    assert poison["quarantine"]["last_exit"] == "SIGKILL"
    assert {job["status"] for job in innocents} == {"succeeded"}
    assert max(job["attempts"] for job in innocents) <= 3  # retried twice at most
    assert all(job["quarantine"] is None for job in innocents)
    for number, job_id in enumerate(ids):
        if number != poison_at:
            data = stack.result(job_id)["explanations"][0]["attributions"][0]["data"]
            np.testing.assert_allclose(data, rows[number, 0] * WEIGHTS, atol=1e-6)
    ledger = Ledger.of(stack)
    assert (ledger.count("ended_succeeded"), ledger.count("ended_failed"), ledger.count("quarantined")) == (JOBS - 1, 1, 1)
    ledger.close()
