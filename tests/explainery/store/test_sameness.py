"""Jobs that ask the same: one is worked on, all have the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from explainery.contract.errors import JobGone
from explainery.contract.job import JobError, JobState
from explainery.store.keys import key

ERROR = JobError(code="model_failed", detail="The model raised.", retryable=False)
MOST_FOLLOWERS = 500
COST_US = 1000
"""What a job of one evaluation is estimated to take while nobody has timed any."""


@pytest.fixture
def ask(ledger: Any) -> Callable[..., Any]:
    """Admit a job of one content; its spec."""

    def admit(content: str | None = "c", **changes: Any) -> Any:
        return ledger.admit(content=content, **changes)

    return admit


@pytest.fixture
def sums(ledger: Any) -> Callable[[], dict[str, dict[str, int]]]:
    """The sums Redis keeps, by what they are of."""

    def read() -> dict[str, dict[str, int]]:
        names = ("queued", "queued_us", "sums", "running_of")
        read = {name: ledger.redis.hgetall(key(name)) for name in names}
        return {name: {field.decode(): int(value) for field, value in fields.items()} for name, fields in read.items()}

    return read


def of(ledger: Any, spec: Any) -> Any:
    return ledger.jobs.get(spec.id)


def expire(ledger: Any, spec: Any) -> None:
    ledger.past("deadlines", spec)
    ledger.jobs.reap(backlog=0)


# --- attach and answer


def test_the_same_in_flight_is_worked_on_once(ledger, ask):
    first = ask()
    others = [ask() for _ in range(99)]
    [claim] = ledger.claim(first, max_jobs=200)
    assert claim.spec.id == first.id
    assert {of(ledger, spec).dedupe_of for spec in others} == {first.id}
    assert {of(ledger, spec).status for spec in others} == {JobState.QUEUED}
    assert ledger.succeed(claim, result=b"answer")
    assert {ledger.jobs.result(spec.id) for spec in (first, *others)} == {b"answer"}
    assert {of(ledger, spec).status for spec in others} == {JobState.SUCCEEDED}
    assert {of(ledger, spec).attempts for spec in others} == {0}


def test_one_joins_while_the_first_runs(ledger, ask):
    first = ask()
    [claim] = ledger.claim(first)
    second = ask()
    assert ledger.claim(first) == []
    ledger.succeed(claim)
    assert ledger.jobs.result(second.id) == b"result"


def test_the_door_says_whom_a_job_follows_and_rings_nobody(ledger):
    first, second = ledger.spec(content="c"), ledger.spec(content="c")
    assert ledger.jobs.admit(first, b"").ring == "any"
    admission = ledger.jobs.admit(second, b"")
    assert (admission.ring, admission.dedupe_of) == (None, first.id)


def test_the_same_and_done_is_answered_at_once(ledger, ask):
    first = ask()
    [claim] = ledger.claim(first)
    ledger.succeed(claim, result=b"answer")
    later = ledger.spec(content="c")
    assert ledger.jobs.admit(later, b"").dedupe_of == first.id
    job = of(ledger, later)
    assert (job.status, job.dedupe_of, job.attempts) == (JobState.SUCCEEDED, first.id, 0)
    assert job.finished_at is not None
    assert ledger.jobs.result(later.id) == b"answer"
    assert ledger.claim(first) == []


def test_one_that_was_answered_answers_the_next(ledger, ask):
    """Though the first is forgotten: the result is everybody's."""
    first = ask()
    ledger.succeed(ledger.claim(first)[0], result=b"answer")
    second, third = ask(), ask()
    ledger.jobs.forget(second.id)
    assert ledger.jobs.result(third.id) == b"answer"
    assert of(ledger, ask()).status is JobState.SUCCEEDED


def test_other_content_and_none_are_not_the_same(ledger, ask):
    specs = [ask("c"), ask("d"), ask(None), ask(None)]
    assert len(ledger.claim(specs[0])) == 4


def test_a_fresh_run_is_worked_on_and_answers_from_then_on(ledger, ask):
    first = ask()
    ledger.succeed(ledger.claim(first)[0], result=b"old")
    fresh = ask(fresh=True)
    assert of(ledger, fresh).dedupe_of is None
    [claim] = ledger.claim(fresh)
    assert claim.spec.id == fresh.id
    ledger.succeed(claim, result=b"new")
    assert ledger.jobs.result(first.id) == b"old"
    assert ledger.jobs.result(ask().id) == b"new"


def test_a_fresh_run_beside_one_in_flight_disturbs_nobody(ledger, ask):
    first, follower, fresh = ask(), ask(), ask(fresh=True)
    claims = {claim.spec.id: claim for claim in ledger.claim(first)}
    assert set(claims) == {first.id, fresh.id}
    ledger.succeed(claims[first.id], result=b"one")
    ledger.succeed(claims[fresh.id], result=b"two")
    assert [ledger.jobs.result(spec.id) for spec in (first, follower, fresh)] == [b"one", b"one", b"two"]


def test_said_twice_a_follower_is_admitted_once(ledger, ask, sums):
    first, second = ask(), ledger.spec(content="c")
    ledger.jobs.admit(second, b"inputs")
    before = sums()
    ledger.jobs.admit(second, b"inputs")
    assert sums() == before
    [claim] = ledger.claim(first, max_jobs=10)
    ledger.succeed(claim)
    assert of(ledger, second).status is JobState.SUCCEEDED


# --- what ends the first


def cancel(ledger: Any, spec: Any) -> None:
    ledger.jobs.cancel(spec.id)


def forget(ledger: Any, spec: Any) -> None:
    ledger.jobs.forget(spec.id)


@pytest.mark.parametrize("end", [cancel, forget, expire])
@pytest.mark.parametrize("runs", [False, True])
def test_what_ends_the_first_alone_makes_another_its_heir(ledger, ask, sums, end, runs):
    first = ask(deadline_s=60.0)
    heir, last = ask(), ask()
    claims = ledger.claim(first) if runs else []
    end(ledger, first)
    assert sums() == {
        "queued": {"interactive": 2},
        "queued_us": {"interactive": COST_US},
        "sums": {"input_bytes": len(b"inputs")},
        "running_of": {},
    }
    assert not any(ledger.succeed(claim) for claim in claims)
    assert of(ledger, heir).dedupe_of is None
    assert of(ledger, last).dedupe_of == heir.id
    [claim] = ledger.claim(heir, max_jobs=10)
    assert (claim.spec.id, claim.inputs) == (heir.id, b"inputs")
    assert ledger.succeed(claim, result=b"answer")
    assert [ledger.jobs.result(spec.id) for spec in (heir, last)] == [b"answer"] * 2
    assert sums() == {"queued": {}, "queued_us": {}, "sums": {}, "running_of": {}}
    assert not ledger.redis.exists(key("inputs", first.id), key("followers", heir.id))


@pytest.mark.parametrize("end", [cancel, forget, expire])
def test_a_follower_that_ends_disturbs_nobody(ledger, ask, sums, end):
    first = ask()
    before = sums()
    follower, last = ask(deadline_s=60.0), ask()
    end(ledger, follower)
    ledger.jobs.cancel(last.id)
    assert sums() == before
    [claim] = ledger.claim(first)
    assert ledger.succeed(claim, result=b"answer")
    assert ledger.jobs.result(ask().id) == b"answer"


def test_heirs_follow_one_another(ledger, ask, sums):
    specs = [ask() for _ in range(5)]
    for spec in specs[:-1]:
        ledger.jobs.cancel(spec.id)
    [claim] = ledger.claim(specs[-1], max_jobs=10)
    assert (claim.spec.id, claim.inputs) == (specs[-1].id, b"inputs")
    ledger.succeed(claim)
    assert sums() == {"queued": {}, "queued_us": {}, "sums": {}, "running_of": {}}


def test_an_heir_is_found_by_the_next_who_asks(ledger, ask):
    first, heir = ask(), ask()
    ledger.jobs.cancel(first.id)
    assert of(ledger, ask()).dedupe_of == heir.id


def test_an_heir_rings(ledger, ask):
    first = ask()
    ask()
    ledger.claim(first, answered="any")
    ledger.redis.delete(key("awake"), key("resident", first.group), key("bells"))
    assert ledger.jobs.cancel(first.id)[1] == "any"


def test_a_batch_heir_of_an_urgent_job_keeps_its_own_place(ledger, ask, sums):
    first, heir = ask(), ask(priority="batch")
    ledger.jobs.cancel(first.id)
    assert sums()["queued"] == {"batch": 1}
    [claim] = ledger.claim(heir)
    assert claim.spec.id == heir.id


def test_the_last_one_canceled_leaves_nothing(ledger, ask, sums):
    for spec in [ask(), ask()]:
        ledger.jobs.cancel(spec.id)
    assert sums() == {"queued": {}, "queued_us": {}, "sums": {}, "running_of": {}}
    assert not ledger.redis.exists(key("same", "c"))


def test_a_failure_is_shared(ledger, ask, sums):
    first, second = ask(), ask()
    [claim] = ledger.claim(first)
    assert ledger.jobs.fail("w1", first.id, claim.fence, ERROR)
    job = of(ledger, second)
    assert (job.status, job.error) == (JobState.FAILED, ERROR)
    assert sums() == {"queued": {}, "queued_us": {}, "sums": {}, "running_of": {}}


def test_a_failure_answers_nobody_who_comes_later(ledger, ask):
    first = ask()
    [claim] = ledger.claim(first)
    ledger.jobs.fail("w1", first.id, claim.fence, ERROR)
    again = ask()
    assert of(ledger, again).dedupe_of is None
    assert [claim.spec.id for claim in ledger.claim(again)] == [again.id]


def test_a_lost_worker_is_no_end(ledger, ask):
    first, second = ask(), ask()
    [claim] = ledger.claim(first)
    ledger.jobs.release("w1", lost=True)
    assert not ledger.succeed(claim)
    [claim] = ledger.claim(first, "w2")
    assert ledger.succeed(claim, "w2")
    assert ledger.jobs.result(second.id) == b"result"


def test_quarantine_is_shared_as_a_failure(ledger_with):
    ledger = ledger_with(max_attempts=1)
    first, second = ledger.admit(content="c"), ledger.admit(content="c")
    ledger.claim(first)
    ledger.jobs.release("w1", lost=True)
    assert ledger.jobs.get(second.id).status is JobState.FAILED
    assert ledger.redis.hgetall(key("sums")) == {}


# --- whose the result is


def test_a_result_survives_its_owner_and_goes_with_the_last_that_shares_it(ledger, ask):
    first, second = ask(), ask()
    ledger.succeed(ledger.claim(first)[0], result=b"answer")
    third = ask()
    ledger.jobs.forget(first.id)
    with pytest.raises(JobGone):
        ledger.jobs.result(first.id)
    assert [ledger.jobs.result(spec.id) for spec in (second, third)] == [b"answer"] * 2
    ledger.jobs.forget(third.id)
    assert ledger.jobs.result(second.id) == b"answer"
    ledger.jobs.forget(second.id)
    assert not ledger.redis.exists(key("result", first.id), key("sharers", first.id))


def test_a_result_lasts_as_long_as_the_youngest_job_that_shares_it(ledger, ask):
    first = ask()
    ledger.succeed(ledger.claim(first)[0])
    ledger.redis.pexpire(key("result", first.id), 60_000)
    ask()
    assert ledger.redis.pttl(key("result", first.id)) > 60_000


def test_a_result_that_is_gone_answers_nobody(ledger, ask):
    first = ask()
    ledger.succeed(ledger.claim(first)[0])
    ledger.redis.delete(key("result", first.id))
    again = ask()
    assert [claim.spec.id for claim in ledger.claim(again)] == [again.id]


def test_when_its_time_is_over_the_reaper_leaves_the_others_their_result(ledger, ask):
    first, second = ask(), ask()
    ledger.succeed(ledger.claim(first)[0], result=b"answer")
    ledger.past("ending", first)
    ledger.jobs.reap(backlog=0)
    assert ledger.jobs.result(second.id) == b"answer"


# --- urgency and bounds


def test_an_urgent_follower_hurries_a_batch_job(ledger, ask, sums):
    slow, first = ask("other", priority="batch"), ask(priority="batch")
    ask(priority="interactive")
    assert sums()["queued"] == {"batch": 1, "interactive": 2}
    assert [claim.spec.id for claim in ledger.claim(slow, max_jobs=1)] == [first.id]


def test_a_batch_follower_hurries_nobody(ledger, ask, sums):
    ask(priority="batch")
    ask(priority="batch")
    assert sums()["queued"] == {"batch": 2}


def test_a_batch_follower_that_comes_of_age_follows_on(ledger_with):
    ledger = ledger_with(batch_age_s=0.0)
    first, second = ledger.admit(content="c", priority="batch"), ledger.admit(content="c", priority="batch")
    ledger.jobs.reap(backlog=0)
    [claim] = ledger.claim(first, max_jobs=10)
    ledger.succeed(claim)
    assert ledger.jobs.get(second.id).status is JobState.SUCCEEDED
    assert ledger.redis.hgetall(key("queued")) == {}


def test_no_more_than_five_hundred_follow_one_job(ledger, ask):
    """One end ends them all in one step, and Redis serves nobody else meanwhile."""
    first = ask()
    for _ in range(MOST_FOLLOWERS):
        ask()
    assert ledger.redis.zcard(key("followers", first.id)) == MOST_FOLLOWERS
    second = ask()
    assert of(ledger, second).dedupe_of is None
    assert of(ledger, ask()).dedupe_of == second.id
    claims = ledger.claim(first, max_jobs=10)
    assert [claim.spec.id for claim in claims] == [first.id, second.id]
    assert all(ledger.succeed(claim) for claim in claims)
    assert ledger.redis.zcard(key("state", JobState.SUCCEEDED)) == MOST_FOLLOWERS + 3


def test_followers_cost_their_tenants_nothing(ledger, ask):
    """Nor do they count where many may not wait: only inputs and compute are scarce."""
    ask(tenant="a")
    ask(tenant="b")
    assert ledger.redis.zrange(key("promised", "interactive"), 0, -1) == [b"a"]
