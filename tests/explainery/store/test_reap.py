"""Putting right what nobody else will."""

from explainery.contract.job import JobState
from explainery.store import jobs as jobs_module
from explainery.store.bell import ANYBODY
from explainery.store.jobs import Reaped
from explainery.store.keys import key
from explainery.store.scripting import BELLS

NOTHING = Reaped([], 0, 0, 0, 0)


def test_a_lease_that_runs_out_brings_the_job_back(ledger_with, until):
    ledger = ledger_with(lease_s=0.1)
    claim = ledger.running()
    assert ledger.jobs.reap(backlog=0) == NOTHING
    until(lambda: ledger.jobs.reap(backlog=0).requeued)
    [again] = ledger.claim(claim.spec, "w2")
    assert (again.spec.id, again.fence > claim.fence, again.losses) == (claim.spec.id, True, 1)


def test_a_lost_job_is_back_at_the_head_of_the_line(ledger):
    lost = ledger.running().spec
    ledger.admit()
    ledger.lose(lost)
    assert [claim.spec.id for claim in ledger.claim(lost)] == [lost.id]


def test_a_job_that_loses_every_worker_fails(ledger_with):
    ledger = ledger_with(max_attempts=2)
    spec = ledger.running().spec
    ledger.lose(spec)
    ledger.claim(spec)
    ledger.past("running", spec)
    assert ledger.jobs.reap(backlog=0).lost == 1
    job = ledger.jobs.get(spec.id)
    assert (job.status, job.error.code, job.attempts) == (JobState.FAILED, "worker_lost", 2)


def test_deadlines_pass_for_queued_and_running_jobs(ledger):
    running = ledger.running(deadline_s=60.0).spec
    queued = ledger.admit(deadline_s=60.0)
    for spec in (queued, running):
        ledger.past("deadlines", spec)
    assert ledger.jobs.reap(backlog=0).expired == 2
    for spec in (queued, running):
        job = ledger.jobs.get(spec.id)
        assert (job.status, job.error.code) == (JobState.EXPIRED, "deadline_exceeded")
    assert ledger.claim(queued) == []


def test_a_real_deadline_passes(ledger, until):
    spec = ledger.admit(deadline_s=0.05)
    until(lambda: ledger.jobs.reap(backlog=0).expired)
    assert ledger.state(spec) is JobState.EXPIRED


def test_reaping_again_changes_nothing(ledger):
    spec = ledger.running().spec
    ledger.past("running", spec)
    assert ledger.jobs.reap(backlog=0).requeued == 1
    before = ledger.jobs.get(spec.id)
    assert ledger.jobs.reap(backlog=0) == NOTHING
    assert ledger.jobs.get(spec.id) == before


def test_a_line_that_was_rung_for_is_left_alone(ledger):
    ledger.admit()
    assert ledger.jobs.reap(backlog=0).ring == []


def test_a_line_without_a_bell_gets_one(ledger):
    spec = ledger.admit()
    ledger.redis.delete(key("bells"))
    assert ledger.jobs.reap(backlog=7).ring == [ANYBODY]
    assert ledger.jobs.reap(backlog=7).ring == []
    assert ledger.state(spec) is JobState.QUEUED


def test_a_line_that_still_waits_gets_more_bells_up_to_the_cap(ledger):
    ledger.admit()
    rung = 1
    for _ in range(BELLS + 2):
        ledger.redis.zincrby(key("rung"), -2000, ANYBODY)
        rung += len(ledger.jobs.reap(backlog=3).ring)
    assert rung == BELLS


def test_bells_that_nobody_answers_are_lost_once_the_broker_is_empty(ledger):
    [ledger.admit() for _ in range(BELLS)]
    ledger.redis.zincrby(key("rung"), -6000, ANYBODY)
    assert ledger.jobs.reap(backlog=3).ring == []
    assert ledger.jobs.reap(backlog=0).ring == [ANYBODY]


def test_a_busy_broker_does_not_hide_a_lost_bell_for_ever(ledger):
    [ledger.admit() for _ in range(BELLS)]
    ledger.redis.zincrby(key("rung"), -31_000, ANYBODY)
    assert ledger.jobs.reap(backlog=3).ring == [ANYBODY]


def test_lost_bells_do_not_silence_the_next_job(ledger):
    specs = [ledger.admit() for _ in range(BELLS)]
    ledger.claim(specs[0])
    ledger.jobs.reap(backlog=1)
    assert ledger.jobs.admit(ledger.spec(), b"").ring is None
    ledger.claim(specs[0])
    ledger.jobs.reap(backlog=0)
    ledger.redis.zrem(key("workers"), "w1")
    assert ledger.jobs.admit(ledger.spec(), b"").ring == ANYBODY


def test_the_work_of_one_reap_is_bounded(ledger, monkeypatch):
    monkeypatch.setattr(jobs_module, "REAP_LIMIT", 2)
    specs = [ledger.admit() for _ in range(5)]
    ledger.claim(specs[0])
    for spec in specs:
        ledger.past("running", spec)
    assert [ledger.jobs.reap(backlog=0).requeued for _ in range(4)] == [2, 2, 1, 0]


def test_an_id_whose_record_is_gone_does_not_stop_the_reaper(ledger):
    ghost, lost = ledger.running(deadline_s=60.0).spec, ledger.running().spec
    ledger.past("running", ghost)
    ledger.past("deadlines", ghost)
    ledger.past("running", lost)
    ledger.redis.delete(key("job", ghost.id))
    assert ledger.jobs.reap(backlog=0).requeued == 1
