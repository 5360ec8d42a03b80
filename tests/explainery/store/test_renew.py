"""Heartbeats."""

from explainery.contract.job import JobState, Progress
from explainery.store.keys import key


def test_a_heartbeat_extends_the_lease_and_records_progress(ledger):
    claim = ledger.running()
    ledger.past("running", claim.spec)
    assert ledger.jobs.renew("w1", [ledger.advance(claim, 3)]) == set()
    assert ledger.jobs.reap(backlog=0).requeued == 0
    assert ledger.jobs.get(claim.spec.id).progress == Progress(done=3, total=4, unit="model_evaluations")


def test_the_revision_rises_only_when_progress_changed(ledger):
    claim = ledger.running()

    def revision_after(done: int) -> int:
        ledger.jobs.renew("w1", [ledger.advance(claim, done)])
        return ledger.jobs.get(claim.spec.id).revision

    first = revision_after(1)
    assert revision_after(1) == first
    assert revision_after(2) == first + 1


def test_jobs_that_are_no_longer_ours_are_named(ledger):
    ours, canceled, lost, gone, done, other = (ledger.running() for _ in range(6))
    ledger.jobs.cancel(canceled.spec.id)
    ledger.lose(lost.spec)
    ledger.jobs.forget(gone.spec.id)
    ledger.succeed(done)
    ledger.redis.hset(key("job", other.spec.id), "worker", "w2")
    told = ledger.jobs.renew("w1", [ledger.advance(claim) for claim in (ours, canceled, lost, gone, done, other)])
    assert told == {claim.spec.id for claim in (canceled, lost, gone, done, other)}


def test_a_stale_claim_of_a_job_we_hold_again_is_not_ours(ledger):
    stale = ledger.running()
    ledger.lose(stale.spec)
    [fresh] = ledger.claim(stale.spec)
    assert ledger.jobs.renew("w1", [ledger.advance(stale)]) == {stale.spec.id}
    assert ledger.jobs.renew("w1", [ledger.advance(fresh)]) == set()


def test_a_heartbeat_past_the_deadline_expires_the_job(ledger):
    claim = ledger.running(deadline_s=60.0)
    ledger.past("deadlines", claim.spec)
    assert ledger.jobs.renew("w1", [ledger.advance(claim)]) == {claim.spec.id}
    assert ledger.state(claim.spec) is JobState.EXPIRED
    assert not ledger.succeed(claim)


def test_a_heartbeat_with_nothing_in_hand_is_nothing(ledger):
    assert ledger.jobs.renew("w1", []) == set()
