"""Ending a job, once, by the holder of the newest fence."""

import pytest

from explainery.contract.errors import JobNotFinished
from explainery.contract.job import JobError, JobState, Progress
from explainery.store.keys import key

ERROR = JobError(code="model_failed", detail="The model raised; look at its log.", retryable=False)


def test_a_result_is_published(ledger):
    claim = ledger.running()
    assert ledger.succeed(claim, result=b"\x00\xff answer")
    job = ledger.jobs.get(claim.spec.id)
    assert (job.status, job.error, job.progress) == (
        JobState.SUCCEEDED,
        None,
        Progress(done=4, total=4, unit="model_evaluations"),
    )
    assert job.finished_at >= job.started_at
    assert ledger.jobs.result(claim.spec.id) == b"\x00\xff answer"


def test_an_ended_job_leaves_the_worker(ledger):
    claim = ledger.running()
    ledger.succeed(claim)
    assert ledger.redis.exists(key("held", "w1"), key("running")) == 0


def test_inputs_stay_as_long_as_the_result(ledger):
    claim = ledger.running()
    ledger.succeed(claim)
    assert ledger.jobs.inputs(claim.spec.id) == b"inputs"
    assert 0 < ledger.redis.pttl(key("inputs", claim.spec.id)) <= ledger.redis.pttl(key("result", claim.spec.id))
    assert not ledger.redis.exists(key("sums"))
    ledger.jobs.forget(claim.spec.id)
    assert ledger.jobs.inputs(claim.spec.id) is None


def test_inputs_go_when_they_are_not_to_be_kept(ledger_with):
    ledger = ledger_with(keep_inputs=False)
    claim = ledger.running()
    ledger.succeed(claim)
    assert ledger.jobs.inputs(claim.spec.id) is None
    assert not ledger.redis.exists(key("inputs", claim.spec.id))


def test_inputs_of_a_job_that_failed_go(ledger):
    claim = ledger.running()
    assert ledger.jobs.fail("w1", claim.spec.id, claim.fence, ERROR)
    assert ledger.jobs.inputs(claim.spec.id) is None


def test_jobs_that_share_a_result_share_its_inputs(ledger):
    first = ledger.admit(content="c")
    [claim] = ledger.claim(first)
    follower = ledger.admit(content="c")
    ledger.succeed(claim)
    later = ledger.admit(content="c")
    ledger.jobs.forget(first.id)
    assert [ledger.jobs.inputs(spec.id) for spec in (first, follower, later)] == [None, b"inputs", b"inputs"]
    ledger.jobs.forget(follower.id)
    assert ledger.jobs.inputs(later.id) == b"inputs"
    ledger.jobs.forget(later.id)
    assert not ledger.redis.exists(key("inputs", first.id), key("result", first.id))


def test_an_error_is_recorded(ledger):
    claim = ledger.running()
    assert ledger.jobs.fail("w1", claim.spec.id, claim.fence, ERROR)
    job = ledger.jobs.get(claim.spec.id)
    assert (job.status, job.error) == (JobState.FAILED, ERROR)
    with pytest.raises(JobNotFinished) as caught:
        ledger.jobs.result(claim.spec.id)
    assert caught.value.state == "failed"


def test_a_worker_that_saw_the_deadline_pass_expires_the_job(ledger):
    claim = ledger.running()
    late = JobError(code="deadline_exceeded", detail="Too late.", retryable=False)
    assert ledger.jobs.fail("w1", claim.spec.id, claim.fence, late)
    assert ledger.state(claim.spec) is JobState.EXPIRED


def test_a_failure_that_may_pass_waits_as_long_as_it_was_told(ledger):
    """A server's Retry-After: longer than the back-off of a first failure, at least as long when it is shorter."""
    passing = JobError(code="remote_unavailable", detail="The server is busy.", retryable=True)
    until = []
    for after_s in (0.0, 60.0):
        claim = ledger.running()
        assert ledger.jobs.fail("w1", claim.spec.id, claim.fence, passing, after_s)
        assert ledger.state(claim.spec) is JobState.QUEUED
        seconds, microseconds = ledger.redis.time()
        until.append(ledger.redis.zscore(key("delayed"), claim.spec.id) / 1000 - seconds - microseconds / 1e6)
    assert 0 < until[0] < 5
    assert 55 < until[1] <= 60


def test_a_stale_fence_writes_nothing(ledger):
    stale = ledger.running()
    ledger.lose(stale.spec)
    [fresh] = ledger.claim(stale.spec)
    assert fresh.fence > stale.fence
    assert not ledger.succeed(stale)
    assert not ledger.jobs.fail("w1", stale.spec.id, stale.fence, ERROR)
    assert ledger.state(stale.spec) is JobState.RUNNING
    assert ledger.redis.exists(key("result", stale.spec.id)) == 0
    assert ledger.succeed(fresh)


def test_the_right_fence_of_another_worker_writes_nothing(ledger):
    claim = ledger.running()
    assert not ledger.succeed(claim, worker="w2")
    assert ledger.state(claim.spec) is JobState.RUNNING


def test_a_lost_lease_refuses_the_result_before_anyone_else_has_claimed(ledger):
    claim = ledger.running()
    ledger.lose(claim.spec)
    assert not ledger.succeed(claim)
    assert ledger.state(claim.spec) is JobState.QUEUED


def test_publishing_twice_is_publishing_once(ledger):
    claim = ledger.running()
    assert ledger.succeed(claim, result=b"first")
    revision = ledger.jobs.get(claim.spec.id).revision
    assert ledger.succeed(claim, result=b"second")
    assert not ledger.jobs.fail("w1", claim.spec.id, claim.fence, ERROR)
    assert ledger.jobs.result(claim.spec.id) == b"first"
    assert ledger.jobs.get(claim.spec.id).revision == revision


@pytest.mark.parametrize("state", ["queued", "running", "canceled"])
def test_there_is_no_result_before_the_end(ledger, state):
    spec = ledger.admit()
    if state == "running":
        ledger.claim(spec)
    if state == "canceled":
        ledger.jobs.cancel(spec.id)
    with pytest.raises(JobNotFinished) as caught:
        ledger.jobs.result(spec.id)
    assert caught.value.state == state
