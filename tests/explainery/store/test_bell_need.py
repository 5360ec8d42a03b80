"""A bell is rung when it can wake somebody: not while all workers that live look at the line by themselves."""

from __future__ import annotations

import time
from typing import Any

import pytest

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
    assert ledger.jobs.admit(first, b"")
    assert len(ledger.claim(first, answered=True)) == 1
    assert not ledger.jobs.admit(ledger.spec(), b"")
    assert len(ledger.claim(first, joining=True)) == 1
    assert ledger.claim(first, joining=True) == []
    assert not ledger.jobs.admit(ledger.spec(), b"")


def test_it_found_the_line_empty_and_left_the_next_job_rings(ledger, live):
    live("w1")
    first = ledger.running()
    assert ledger.claim(first.spec) == []
    assert ledger.jobs.admit(ledger.spec(), b"")


def test_another_worker_is_free_to_help(ledger, live):
    live("w1", "w2")
    ledger.running("w1")
    assert ledger.jobs.admit(ledger.spec(), b"")


def test_a_worker_at_work_on_another_group_does_not_look_here(ledger, live):
    live("w1")
    ledger.running(model="other")
    assert ledger.jobs.admit(ledger.spec(), b"")


def test_a_worker_that_has_not_looked_for_long_may_be_dead(ledger, live):
    live("w1")
    claim = ledger.running()
    ledger.redis.zadd(key("draining", claim.spec.group), {"w1": int(time.time() * 1000) - 60_000})
    assert ledger.jobs.admit(ledger.spec(), b"")


def test_what_a_dead_worker_held_rings_all_the_same(ledger, live):
    live("w1")
    claim = ledger.running()
    assert ledger.jobs.release("w1", lost=True) == [claim.spec.group]
