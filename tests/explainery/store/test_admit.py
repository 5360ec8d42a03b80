"""Entering the line."""

import pytest

from explainery.contract.errors import JobNotFound, QueueFull, StoreUnavailable
from explainery.contract.job import JobState
from explainery.store.bell import ANYBODY
from explainery.store.keys import key
from explainery.store.scripting import BELLS


def test_a_job_is_queued_as_it_was_asked(ledger):
    spec = ledger.admit(decision_id="loan-1", seed=7, rows=2, deadline_s=60.0)
    job = ledger.jobs.get(spec.id)
    assert (job.id, job.status, job.model, job.rows, job.seed) == (spec.id, JobState.QUEUED, spec.model, 2, 7)
    assert (job.method, job.method_requested, job.decision_id) == ("saliency", "auto", "loan-1")
    assert (job.attempts, job.revision, job.progress, job.error) == (0, 1, None, None)
    assert job.started_at is job.finished_at is None
    assert job.created_at.endswith("Z")
    assert job.created_at < job.deadline_at
    assert ledger.jobs.waiting() == 1


def test_past_max_waiting_a_job_is_refused_and_leaves_no_trace(ledger_with):
    ledger = ledger_with(max_waiting=2)
    ledger.admit()
    ledger.admit()
    before = set(ledger.redis.keys())
    refused = ledger.spec(decision_id="never")
    with pytest.raises(QueueFull):
        ledger.jobs.admit(refused, b"")
    assert set(ledger.redis.keys()) == before
    with pytest.raises(JobNotFound):
        ledger.jobs.get(refused.id)


def test_a_running_job_does_not_count_as_waiting(ledger_with):
    ledger = ledger_with(max_waiting=1)
    ledger.running()
    ledger.admit()
    with pytest.raises(QueueFull):
        ledger.admit()


def test_a_job_that_is_admitted_twice_is_there_once_and_rings(ledger):
    spec = ledger.spec()
    assert ledger.jobs.admit(spec, b"x").ring == ANYBODY
    assert ledger.jobs.admit(spec, b"x").ring == ANYBODY
    assert ledger.jobs.waiting() == 1
    assert len(ledger.claim(spec)) == 1


def test_only_so_many_bells_are_out(ledger):
    first = [ledger.jobs.admit(ledger.spec(), b"").ring for _ in range(BELLS + 2)]
    assert first == [ANYBODY] * BELLS + [None] * 2
    assert ledger.jobs.admit(ledger.spec(model="other"), b"").ring is None
    ledger.claim(ledger.spec(), max_jobs=1, answered=ANYBODY)
    assert ledger.jobs.admit(ledger.spec(), b"").ring == ANYBODY


def test_interactive_jobs_come_before_batch_jobs_and_each_class_in_order(ledger):
    batch = [ledger.admit(priority="batch") for _ in range(2)]
    interactive = [ledger.admit() for _ in range(2)]
    claims = ledger.claim(batch[0])
    assert [claim.spec.id for claim in claims] == [spec.id for spec in interactive + batch]


def test_a_nearly_full_redis_takes_no_new_job(ledger):
    ledger.redis.config_set("maxmemory", int(ledger.redis.info("memory")["used_memory"] * 1.2))
    with pytest.raises(QueueFull, match="memory"):
        ledger.admit()


def test_a_full_redis_refuses_new_jobs_and_lets_everything_else_through(ledger):
    done, canceled, forgotten, lost, left = (ledger.running(worker=worker) for worker in ("w1", "w2", "w3", "w4", "w5"))
    ledger.past("running", lost.spec)
    ledger.redis.config_set("maxmemory", 1)
    spec = ledger.spec()
    with pytest.raises(StoreUnavailable, match="full"):
        ledger.jobs.admit(spec, b"x")
    assert ledger.jobs.renew("w1", [ledger.advance(done, 2)]) == set()
    assert ledger.succeed(done)
    assert ledger.jobs.result(done.spec.id) == b"result"
    assert ledger.jobs.cancel(canceled.spec.id)[0].status is JobState.CANCELED
    ledger.jobs.forget(forgotten.spec.id)
    assert ledger.jobs.release("w5", lost=False) == [ANYBODY]
    assert ledger.state(left.spec) is JobState.QUEUED
    assert ledger.jobs.reap(backlog=0).requeued == 1
    assert len(ledger.claim(lost.spec)) == 1
    assert ledger.redis.exists(key("job", spec.id)) == 0
