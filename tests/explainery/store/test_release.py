"""Giving back what a worker held."""

from explainery.contract.job import JobState
from explainery.store.keys import key


def test_a_leaving_worker_gives_back_without_a_loss(ledger):
    claim = ledger.running()
    ledger.jobs.renew("w1", [ledger.advance(claim, 2)])
    assert ledger.jobs.release("w1", lost=False) == [claim.spec.group]
    job = ledger.jobs.get(claim.spec.id)
    assert (job.status, job.progress, job.started_at) == (JobState.QUEUED, None, None)
    [again] = ledger.claim(claim.spec, "w2")
    assert (again.losses, again.attempts, again.inputs) == (0, 2, b"inputs")
    assert not ledger.succeed(claim)
    assert ledger.succeed(again, "w2")


def test_a_dead_worker_costs_its_jobs_a_loss(ledger):
    claim = ledger.running()
    ledger.jobs.release("w1", lost=True)
    assert [again.losses for again in ledger.claim(claim.spec)] == [1]


def test_the_last_loss_fails_the_job(ledger_with):
    ledger = ledger_with(max_attempts=2)
    claim = ledger.running()
    assert ledger.jobs.release("w1", lost=True) == [claim.spec.group]
    ledger.claim(claim.spec)
    assert ledger.jobs.release("w1", lost=True) == []
    job = ledger.jobs.get(claim.spec.id)
    assert (job.status, job.error.code, job.error.retryable) == (JobState.FAILED, "worker_lost", False)
    assert ledger.redis.exists(key("inputs", claim.spec.id)) == 0


def test_leaving_in_peace_never_fails_a_job(ledger_with):
    ledger = ledger_with(max_attempts=1)
    claim = ledger.running()
    for _ in range(3):
        ledger.jobs.release("w1", lost=False)
        ledger.claim(claim.spec)
    assert ledger.state(claim.spec) is JobState.RUNNING


def test_others_keep_what_they_hold(ledger):
    ours, theirs = ledger.running("w1"), ledger.running("w2")
    ledger.jobs.release("w1", lost=True)
    assert ledger.state(ours.spec) is JobState.QUEUED
    assert ledger.jobs.renew("w2", [ledger.advance(theirs)]) == set()


def test_jobs_go_back_to_their_old_place(ledger):
    specs = [ledger.admit() for _ in range(3)]
    ledger.claim(specs[0], max_jobs=1)
    ledger.jobs.release("w1", lost=False)
    ledger.admit()
    assert [claim.spec.id for claim in ledger.claim(specs[0], max_jobs=3)] == [spec.id for spec in specs]


def test_releasing_twice_releases_once(ledger):
    claim = ledger.running()
    ledger.jobs.release("w1", lost=True)
    assert ledger.jobs.release("w1", lost=True) == []
    assert [again.losses for again in ledger.claim(claim.spec)] == [1]
