"""Giving back what a worker held."""

import pytest

from explainery.contract.errors import ModelQuarantined
from explainery.contract.job import JobState
from explainery.store.bell import ANYBODY
from explainery.store.keys import key
from explainery.store.quarantine import Quarantine


def test_a_leaving_worker_gives_back_without_a_loss(ledger):
    claim = ledger.running()
    ledger.jobs.renew("w1", [ledger.advance(claim, 2)])
    assert ledger.jobs.release("w1", lost=False) == [ANYBODY]
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


def test_the_last_loss_puts_the_job_into_quarantine(ledger_with):
    ledger = ledger_with(max_attempts=2)
    claim = ledger.running()
    assert ledger.jobs.release("w1", lost=True, manner="SIGSEGV") == [ANYBODY]
    [again] = ledger.claim(claim.spec)
    ledger.jobs.note(claim.spec.id, again.fence, "16 gradients")
    assert ledger.jobs.release("w1", lost=True, manner="SIGKILL") == []
    job = ledger.jobs.get(claim.spec.id)
    assert (job.status, job.error.code, job.error.retryable) == (JobState.FAILED, "worker_lost", False)
    assert (job.quarantine.losses, job.quarantine.last_exit, job.quarantine.last_chunk) == (2, "SIGKILL", "16 gradients")
    assert ledger.redis.ttl(key("inputs", claim.spec.id)) > 0
    ledger.jobs.forget(claim.spec.id)
    assert ledger.redis.exists(key("inputs", claim.spec.id), key("quarantine")) == 0


def test_only_suspects_of_a_call_that_hung_count_a_loss(ledger):
    specs = [ledger.admit() for _ in range(3)]
    ledger.claim(specs[0], answered="any")
    ledger.jobs.release("w1", lost=False, manner="hung in a call", suspects=[specs[1].id])
    assert [claim.losses for claim in ledger.claim(specs[0], "w2", max_jobs=1)] == [0]
    assert [(claim.spec.id, claim.losses) for claim in ledger.claim(specs[0], "w2")] == [(specs[1].id, 1)]
    assert [(claim.spec.id, claim.losses) for claim in ledger.claim(specs[0], "w2")] == [(specs[2].id, 0)]


def test_a_second_loss_waits_before_the_next_try(ledger):
    claim = ledger.running()
    ledger.jobs.release("w1", lost=True)
    ledger.claim(claim.spec)
    ledger.jobs.release("w1", lost=True)
    assert ledger.claim(claim.spec) == []
    assert ledger.redis.zrange(key("delayed"), 0, -1) == [claim.spec.id.encode()]
    ledger.redis.zadd(key("delayed"), {claim.spec.id: 0})
    assert [again.losses for again in ledger.claim(claim.spec)] == [2]


def test_a_model_that_keeps_killing_workers_is_put_into_quarantine(ledger_with):
    ledger = ledger_with(model_deaths=3)
    first, waiting = ledger.running(), ledger.admit()
    for _ in range(3):
        ledger.jobs.release("w1", lost=True, manner="SIGSEGV")
        ledger.redis.delete(key("delayed"))
        ledger.redis.zadd(key("line", f"interactive:{first.spec.group}"), {first.spec.id: 0})
        ledger.redis.hset(key("job", first.spec.id), "spot", "line")
        ledger.claim(first.spec, max_jobs=1)
    with pytest.raises(ModelQuarantined):
        ledger.admit()
    ledger.jobs.reap(backlog=0)
    assert ledger.jobs.get(waiting.id).error.code == "model_quarantined"
    quarantine = Quarantine(ledger.redis, ledger.settings)
    [banned] = quarantine.models()
    assert (banned.group, banned.deaths, banned.last_exit) == (first.spec.group, 3, "SIGSEGV")
    assert quarantine.release_model(banned.group)
    assert ledger.state(ledger.admit()) is JobState.QUEUED


def test_a_success_says_that_it_was_not_the_model(ledger_with):
    ledger = ledger_with(model_deaths=2)
    for _ in range(4):
        ledger.running()
        ledger.jobs.release("w1", lost=True)
        [again] = ledger.claim(ledger.spec())
        ledger.succeed(again)
    assert ledger.redis.exists(key("banned")) == 0


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
