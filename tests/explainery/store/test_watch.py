"""Waiting for a job to change."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from explainery.contract.errors import StoreUnavailable
from explainery.store import watch
from explainery.store.keys import key
from explainery.store.watch import Watcher


@pytest.fixture
def watcher(ledger):
    made = Watcher(ledger.redis)
    yield made
    made.close()


def test_what_has_changed_already_is_told_at_once(ledger, watcher):
    spec = ledger.admit()
    ledger.jobs.cancel(spec.id)
    assert watcher.wait(spec.id, 1, timeout_s=30.0)


def test_a_change_wakes_at_once(ledger, watcher, monkeypatch):
    monkeypatch.setattr(watch, "LOOK_S", 20.0)
    spec = ledger.admit()
    with ThreadPoolExecutor() as pool:
        waiters = [pool.submit(watcher.wait, spec.id, 1, 30.0) for _ in range(8)]
        ledger.jobs.cancel(spec.id)
        assert all(waiter.result(10.0) for waiter in waiters)


def test_other_jobs_changes_do_not_end_the_wait(ledger, watcher):
    spec = ledger.admit()
    assert not watcher.wait(spec.id, 1, timeout_s=0.05)
    with ThreadPoolExecutor() as pool:
        waiter = pool.submit(watcher.wait, spec.id, 1, 0.3)
        ledger.jobs.cancel(ledger.admit().id)
        assert not waiter.result(10.0)


def test_no_time_to_wait_is_one_look(ledger, watcher):
    spec = ledger.admit()
    assert not watcher.wait(spec.id, 1, timeout_s=0.0)


def test_a_forgotten_job_has_changed(ledger, watcher):
    spec = ledger.admit()
    with ThreadPoolExecutor() as pool:
        waiter = pool.submit(watcher.wait, spec.id, 1, 30.0)
        ledger.jobs.forget(spec.id)
        assert waiter.result(10.0)


def test_a_change_that_nobody_told_is_seen_all_the_same(ledger, watcher):
    spec = ledger.admit()
    with ThreadPoolExecutor() as pool:
        waiter = pool.submit(watcher.wait, spec.id, 1, 30.0)
        ledger.redis.hincrby(key("job", spec.id), "revision", 1)
        assert waiter.result(10.0)


def test_a_restart_of_redis_deafens_nobody(ledger, watcher, redis_server, monkeypatch, until):
    monkeypatch.setattr(watch, "LOOK_S", 20.0)
    spec = ledger.admit()
    assert not watcher.wait(spec.id, 1, timeout_s=0.01)
    redis_server.stop()
    redis_server.start()
    until(lambda: ledger.redis.pubsub_numsub(key("changes")) == [(key("changes").encode(), 1)])
    with ThreadPoolExecutor() as pool:
        waiter = pool.submit(watcher.wait, spec.id, 1, 30.0)
        ledger.jobs.cancel(spec.id)
        assert waiter.result(10.0)


def test_many_waiters_share_one_connection(ledger, watcher):
    specs = [ledger.admit() for _ in range(20)]
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda spec: watcher.wait(spec.id, 1, 0.05), specs))
    assert ledger.redis.pubsub_numsub(key("changes")) == [(key("changes").encode(), 1)]
    assert sum(thread.name == "watcher" for thread in threading.enumerate()) == 1


def test_closing_lets_everyone_go(ledger):
    watcher = Watcher(ledger.redis)
    spec = ledger.admit()
    with ThreadPoolExecutor() as pool:
        waiter = pool.submit(watcher.wait, spec.id, 1, 60.0)
        started = time.monotonic()
        watcher.close()
        assert not waiter.result(10.0)
    assert time.monotonic() - started < 10.0


def test_without_redis_waiting_says_so(ledger, watcher, redis_server):
    spec = ledger.admit()
    redis_server.kill()
    with pytest.raises(StoreUnavailable):
        watcher.wait(spec.id, 1, timeout_s=30.0)
