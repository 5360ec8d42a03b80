"""Forgetting: by request, and when the time has come."""

import pytest

from explainery.contract.errors import JobGone, JobNotFound
from explainery.contract.job import JobState
from explainery.store.keys import PREFIX, key

REMEMBERED = {"sequence", "gone"}
NO_JOBS = (
    "awake",
    "turns",
    "resident",
    "bells",
    "rung",
    "ended",
    "pace",
    "counts",
    "virtual",
    "promised",
    "histogram",
    "events",
    "spent",
)
"""Kinds of keys that are no job's: figures, who was at work a moment ago, and what was told, for a day."""


def lasting(ledger):
    """Kinds of the keys that are a job's."""
    kinds = {name.decode().removeprefix(PREFIX).split(":")[0] for name in ledger.redis.scan_iter()}
    return kinds - set(NO_JOBS)


@pytest.mark.parametrize("state", ["queued", "running", "succeeded"])
def test_a_forgotten_job_leaves_only_its_tombstone(ledger, state):
    spec = ledger.admit(decision_id="loan-1", deadline_s=60.0)
    if state != "queued":
        [claim] = ledger.claim(spec, answered="any")
    else:
        ledger.claim(ledger.spec(), max_jobs=0, answered="any")
    if state == "succeeded":
        ledger.succeed(claim)
    ledger.jobs.forget(spec.id)
    assert lasting(ledger) == REMEMBERED
    for ask in (ledger.jobs.get, ledger.jobs.result, ledger.jobs.forget):
        with pytest.raises(JobGone):
            ask(spec.id)


def test_an_id_that_never_was_is_not_found(ledger):
    for ask in (ledger.jobs.get, ledger.jobs.result, ledger.jobs.forget):
        with pytest.raises(JobNotFound):
            ask("never")


def test_an_ended_job_is_forgotten_in_time(ledger):
    claim = ledger.running(decision_id="loan-1")
    ledger.succeed(claim)
    assert ledger.jobs.reap(backlog=0).forgotten == 0
    ledger.past("ending", claim.spec)
    assert ledger.jobs.reap(backlog=0).forgotten == 1
    assert lasting(ledger) == REMEMBERED
    with pytest.raises(JobGone):
        ledger.jobs.get(claim.spec.id)


def test_a_job_whose_time_is_over_is_gone_though_no_reaper_came(ledger_with, until):
    ledger = ledger_with(result_ttl_s=1)
    claim = ledger.running()
    ledger.succeed(claim)
    assert ledger.state(claim.spec) is JobState.SUCCEEDED

    def gone() -> bool:
        try:
            ledger.jobs.get(claim.spec.id)
        except JobGone:
            return True
        return False

    until(gone)
    until(lambda: not ledger.redis.exists(key("result", claim.spec.id)))
    with pytest.raises(JobGone):
        ledger.jobs.result(claim.spec.id)


def test_what_an_ended_job_leaves_expires_by_itself(ledger):
    claim = ledger.running()
    ledger.succeed(claim)
    ttl_s = {kind: ledger.redis.ttl(key(kind, claim.spec.id)) for kind in ("job", "result", "gone")}
    kept = ledger.settings.result_ttl_s
    assert kept - 5 < ttl_s["result"] <= kept
    assert kept < ttl_s["job"] <= kept + 86_400
    assert kept + 86_400 <= ttl_s["gone"] + 5 <= ledger.settings.tombstone_ttl_s + 5


def test_a_record_that_expired_before_any_reaper_came_leaves_the_indexes(ledger):
    claim = ledger.running(decision_id="loan-1")
    ledger.succeed(claim)
    ledger.redis.delete(key("job", claim.spec.id), key("result", claim.spec.id), key("inputs", claim.spec.id))
    everything = {"status": None, "model": None, "cursor": None, "limit": 5}
    assert ledger.jobs.page(**everything, decision_id="loan-1").jobs == []
    assert ledger.jobs.page(**{**everything, "model": "digits"}, decision_id=None).jobs == []
    ledger.redis.zadd(key("ending"), {claim.spec.id: 0})
    assert ledger.jobs.reap(backlog=0).forgotten == 1
    assert lasting(ledger) == REMEMBERED
