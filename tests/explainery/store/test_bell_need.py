"""A bell is rung when it can wake somebody: not while all workers that live look at the line by themselves."""

from __future__ import annotations

import time
from typing import Any

import pytest

from explainery.contract.job import JobState
from explainery.store.bell import ANYBODY
from explainery.store.jobs import Limits
from explainery.store.keys import key


@pytest.fixture
def live(ledger: Any) -> Any:
    """Say which workers live."""

    def announce(*workers: str) -> None:
        ledger.redis.zadd(key("workers"), dict.fromkeys(workers, int(time.time() * 1000)))

    return announce


def test_the_only_worker_is_at_work_no_bell(ledger, live):
    live("w1")
    first = ledger.spec()
    assert ledger.jobs.admit(first, b"").ring == ANYBODY
    assert len(ledger.claim(first, answered="any")) == 1
    assert ledger.jobs.admit(ledger.spec(), b"").ring is None
    assert len(ledger.claim(first, joining=True)) == 1
    assert ledger.claim(first, joining=True) == []
    assert ledger.jobs.admit(ledger.spec(), b"").ring is None


def test_it_found_the_line_empty_and_left_the_next_job_rings(ledger, live):
    live("w1")
    first = ledger.running()
    assert ledger.claim(first.spec) == []
    assert ledger.jobs.admit(ledger.spec(), b"").ring is not None


def test_another_worker_helps_when_the_one_that_has_the_model_does_not_come(ledger, live):
    live("w1", "w2")
    ledger.running("w1")
    late = ledger.spec()
    assert ledger.jobs.admit(late, b"").ring is None
    assert ledger.jobs.claim("w2", Limits(1, 1)).group is None
    ledger.redis.hincrby(key("job", late.id), "created", -1000)
    assert ledger.jobs.reap(backlog=0).ring == [ANYBODY]
    assert ledger.jobs.claim("w2", Limits(1, 1), answered=ANYBODY).group == late.group


def test_a_worker_at_work_on_another_model_looks_here_next(ledger, live):
    live("w1")
    ledger.running(model="other")
    spec = ledger.spec()
    assert ledger.jobs.admit(spec, b"").ring is None
    assert ledger.jobs.claim("w1", Limits(1, 1)).group == spec.group


def test_a_worker_that_has_the_model_is_woken_by_its_own_bell(ledger, live):
    live("w1", "w2")
    first = ledger.running("w2")
    ledger.succeed(first, "w2")
    assert ledger.claim(first.spec, "w2") == []
    assert ledger.jobs.admit(ledger.spec(), b"").ring == "w2"
    assert ledger.jobs.admit(ledger.spec(), b"").ring is None
    assert ledger.jobs.claim("w1", Limits(9, 9)).group is None  # w2 comes
    assert len(ledger.jobs.claim("w2", Limits(9, 9), answered="w2").claims) == 2


def test_a_worker_that_has_not_looked_for_long_may_be_dead(ledger, live):
    live("w1")
    claim = ledger.running()
    ledger.redis.zadd(key("awake"), {"w1": int(time.time() * 1000) - 60_000})
    assert ledger.state(claim.spec) is JobState.RUNNING
    assert ledger.jobs.admit(ledger.spec(), b"").ring is not None


def test_what_a_dead_worker_held_rings_all_the_same(ledger, live):
    live("w1")
    ledger.running()
    assert ledger.jobs.release("w1", lost=True) == [ANYBODY]
