"""A job that its client wants canceled after a time is, whoever is left to do it."""

import pytest

from explainery.contract.job import JobState
from explainery.store.ids import new_job_id
from explainery.store.jobs import Once
from explainery.store.keys import key

LONG_S = 60.0


@pytest.fixture
def admit(ledger):
    """Admit a job that is to be canceled in a minute."""

    def run(**changes):
        spec = ledger.spec(**changes)
        ledger.jobs.admit(spec, b"inputs", cancel_after_s=LONG_S)
        return spec

    return run


def pass_time(ledger, spec):
    """Let that minute be over without waiting for it."""
    ledger.redis.hset(key("job", spec.id), "cancel_at", 1)
    ledger.redis.zadd(key("deadlines"), {spec.id: 0}, xx=True)


def assert_canceled(ledger, spec):
    job = ledger.jobs.get(spec.id)
    assert (job.status, job.error.code) == (JobState.CANCELED, "cancel_after_passed")
    assert ledger.redis.zcard(key("deadlines")) == 0
    assert ledger.redis.zscore(key("state", "canceled"), spec.id) is not None


def test_the_job_says_when(ledger, admit):
    job = ledger.jobs.get(admit().id)
    assert job.cancel_at is not None
    assert job.cancel_at > job.created_at
    assert ledger.jobs.get(ledger.admit().id).cancel_at is None


def test_before_its_time_nothing_happens(ledger, admit):
    spec = admit()
    ledger.jobs.reap(backlog=0)
    assert ledger.state(spec) is JobState.QUEUED
    [claim] = ledger.claim(spec)
    assert ledger.jobs.renew("w1", [ledger.advance(claim)]) == set()


def test_the_reaper_cancels_it(ledger, admit):
    spec = admit()
    pass_time(ledger, spec)
    assert ledger.jobs.reap(backlog=0).expired == 0
    assert ledger.redis.hget(key("job", spec.id), "state") == b"canceled"
    assert_canceled(ledger, spec)


def test_a_claim_does(ledger, admit):
    spec = admit()
    pass_time(ledger, spec)
    assert ledger.claim(spec) == []
    assert ledger.redis.hget(key("job", spec.id), "state") == b"canceled"
    assert_canceled(ledger, spec)


def test_a_heartbeat_does_and_the_workers_late_result_is_refused(ledger, admit):
    spec = admit()
    [claim] = ledger.claim(spec)
    pass_time(ledger, spec)
    assert ledger.jobs.renew("w1", [ledger.advance(claim)]) == {spec.id}
    assert not ledger.succeed(claim)
    assert_canceled(ledger, spec)


def test_without_worker_and_reaper_a_look_does(ledger, admit):
    spec = admit()
    pass_time(ledger, spec)
    assert_canceled(ledger, spec)


def test_a_job_that_has_ended_stays_as_it_is(ledger, admit):
    spec = admit()
    [claim] = ledger.claim(spec)
    assert ledger.succeed(claim)
    assert ledger.redis.zcard(key("deadlines")) == 0
    pass_time(ledger, spec)
    ledger.jobs.reap(backlog=0)
    assert ledger.state(spec) is JobState.SUCCEEDED


def test_an_earlier_deadline_comes_first(ledger, admit):
    spec = admit(deadline_s=30.0)
    ledger.past("deadlines", spec)
    ledger.jobs.reap(backlog=0)
    assert ledger.state(spec) is JobState.EXPIRED


def test_who_follows_goes_on_in_its_place(ledger, admit):
    first = admit(content="same")
    second = ledger.admit(content="same")
    pass_time(ledger, first)
    ledger.jobs.reap(backlog=0)
    assert ledger.state(first) is JobState.CANCELED
    assert [claim.spec.id for claim in ledger.claim(second)] == [second.id]


def test_a_follower_is_canceled_alone(ledger, admit):
    first = ledger.admit(content="same")
    second = admit(content="same")
    pass_time(ledger, second)
    ledger.jobs.reap(backlog=0)
    assert (ledger.state(first), ledger.state(second)) == (JobState.QUEUED, JobState.CANCELED)


def test_a_key_is_taken_with_its_job_or_not_at_all(ledger_with):
    """A submit that was refused, or whose answer was lost, leaves key and job in step."""
    ledger = ledger_with(max_waiting=1)
    once = Once("a" * 64, "b" * 64)
    ledger.admit()
    with pytest.raises(Exception, match="As many jobs wait"):
        ledger.jobs.admit(ledger.spec(), b"inputs", once=once)
    assert ledger.jobs.admitted_under(once) is None
    ledger.jobs.reap(backlog=0)
    ledger.claim(ledger.spec())
    spec = ledger.spec(id=new_job_id())
    for _ in range(2):  # the same call again, as the client of Redis does when an answer is lost
        assert ledger.jobs.admit(spec, b"inputs", once=once).repeated is None
    assert ledger.jobs.admitted_under(once) == spec.id
    assert ledger.jobs.admit(ledger.spec(), b"inputs", once=once).repeated == spec.id
    assert ledger.redis.zcard(key("jobs")) == 2
