"""Cancelling."""

import pytest

from explainery.contract.errors import JobEnded, JobGone, JobNotFound
from explainery.contract.job import JobState
from explainery.store.keys import key


def test_a_queued_job_is_canceled_and_never_claimed(ledger):
    spec = ledger.admit()
    job, whom = ledger.jobs.cancel(spec.id)
    assert whom is None
    assert job.status is JobState.CANCELED
    assert job.finished_at is not None
    assert ledger.claim(spec) == []
    assert ledger.redis.exists(key("inputs", spec.id), key("groups", "interactive")) == 0


def test_a_running_job_is_canceled_and_its_worker_can_write_nothing(ledger):
    claim = ledger.running()
    assert ledger.jobs.cancel(claim.spec.id)[0].status is JobState.CANCELED
    assert not ledger.succeed(claim)
    assert ledger.jobs.renew("w1", [ledger.advance(claim)]) == {claim.spec.id}
    assert ledger.jobs.release("w1", lost=True) == []
    assert ledger.state(claim.spec) is JobState.CANCELED


def test_a_job_that_ended_cannot_be_canceled(ledger):
    claim = ledger.running()
    ledger.succeed(claim)
    before = ledger.jobs.get(claim.spec.id)
    with pytest.raises(JobEnded) as caught:
        ledger.jobs.cancel(claim.spec.id)
    assert caught.value.state == "succeeded"
    assert ledger.jobs.get(claim.spec.id) == before


def test_what_is_not_there_cannot_be_canceled(ledger):
    with pytest.raises(JobNotFound):
        ledger.jobs.cancel("never")
    spec = ledger.admit()
    ledger.jobs.forget(spec.id)
    with pytest.raises(JobGone):
        ledger.jobs.cancel(spec.id)
