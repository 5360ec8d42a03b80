"""What the Lua steps do with a state, against the one table in `contract/job.py`."""

import itertools

import pytest
from redis.exceptions import ResponseError

from explainery.contract.job import TRANSITIONS, JobError, JobState
from explainery.store import scripting
from explainery.store.keys import PREFIX, key

MOVE = "\nlocal job = fetch(ARGV[1])\nmove(job, ARGV[2])"
ERROR = JobError(code="model_failed", detail="The model raised.", retryable=False)
PASSING = JobError(code="resource_exhausted", detail="Memory ran out.", retryable=True)


@pytest.fixture
def move(ledger):
    """Move a job to a state by the scripts' own `move`."""
    text = scripting.source("forget", ledger.settings)
    prelude = text[: text.index("-- Delete a job of any state")]
    script = ledger.redis.register_script(prelude + MOVE)
    return lambda spec, state: script(keys=[PREFIX], args=[spec.id, state])


@pytest.mark.parametrize(("before", "after"), list(itertools.product(JobState, JobState)))
def test_move_allows_what_the_table_allows(ledger, move, before, after):
    spec = ledger.admit()
    ledger.redis.hset(key("job", spec.id), mapping={"state": before, "worker": "w1"})
    if after in TRANSITIONS[before]:
        move(spec, after)
        assert ledger.state(spec) is after
        assert ledger.jobs.get(spec.id).revision == 2
    else:
        with pytest.raises(ResponseError, match="no transition"):
            move(spec, after)
        assert ledger.state(spec) is before


def bring_to(ledger, state):
    """A job in `state`, with the claim it had."""
    if state is JobState.QUEUED:  # it follows one that runs and asks the same
        [claim] = ledger.claim(ledger.admit(content="c"), "w1", max_jobs=1)
        ledger.first = claim
        return ledger.admit(deadline_s=60.0, content="c"), None
    claim = ledger.running(deadline_s=60.0)
    if state is JobState.SUCCEEDED:
        ledger.succeed(claim)
    if state is JobState.FAILED:
        ledger.jobs.fail("w1", claim.spec.id, claim.fence, ERROR)
    if state is JobState.CANCELED:
        ledger.jobs.cancel(claim.spec.id)
    if state is JobState.EXPIRED:
        ledger.past("deadlines", claim.spec)
        ledger.jobs.reap(backlog=0)
    return claim.spec, claim


def cancel(ledger, spec, claim):
    if not ledger.state(spec).ended:
        ledger.jobs.cancel(spec.id)


def overdue(ledger, spec, claim):
    if not ledger.state(spec).ended:
        ledger.past("deadlines", spec)
    ledger.jobs.reap(backlog=0)


def end_the_first(ledger, spec, claim, state):
    """The job that this one follows ends."""
    if claim is None and state is JobState.SUCCEEDED:
        ledger.succeed(ledger.first)
    if claim is None and state is JobState.FAILED:
        ledger.jobs.fail("w1", ledger.first.spec.id, ledger.first.fence, ERROR)


def claimed(ledger, spec, claim):
    """The job that this one follows is canceled, so that this one takes its place."""
    if claim is None:
        ledger.jobs.cancel(ledger.first.spec.id)
    ledger.claim(spec)


STEPS = {
    "the first succeeds": lambda ledger, spec, claim: end_the_first(ledger, spec, claim, JobState.SUCCEEDED),
    "the first fails": lambda ledger, spec, claim: end_the_first(ledger, spec, claim, JobState.FAILED),
    "claim": claimed,
    "fail, may pass": lambda ledger, spec, claim: claim and ledger.jobs.fail("w1", spec.id, claim.fence, PASSING),
    "succeed": lambda ledger, spec, claim: claim and ledger.succeed(claim),
    "fail": lambda ledger, spec, claim: claim and ledger.jobs.fail("w1", spec.id, claim.fence, ERROR),
    "release": lambda ledger, spec, claim: ledger.jobs.release("w1", lost=False),
    "release, lost": lambda ledger, spec, claim: ledger.jobs.release("w1", lost=True),
    "cancel": cancel,
    "deadline": overdue,
}


def test_the_steps_make_every_transition_of_the_table_and_no_other(ledger_with):
    seen = {state: set() for state in JobState}
    for attempts, before, step in itertools.product((1, 5), JobState, STEPS.values()):
        ledger = ledger_with(max_attempts=attempts)
        spec, claim = bring_to(ledger, before)
        step(ledger, spec, claim)
        if (after := ledger.state(spec)) is not before:
            seen[before].add(after)
        ledger.redis.flushall()
    assert seen == {state: set(onto) for state, onto in TRANSITIONS.items()}
