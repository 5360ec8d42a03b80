"""What the Lua steps do with a state, against the one table in `contract/job.py`."""

import itertools

import pytest
from redis.exceptions import ResponseError

from explainery.contract.job import TRANSITIONS, JobError, JobState
from explainery.store import scripting
from explainery.store.keys import PREFIX, key

MOVE = "\nlocal job = fetch(ARGV[1])\nmove(job, ARGV[2])"
ERROR = JobError(code="model_failed", detail="The model raised.", retryable=False)


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
    ledger.redis.hset(key("job", spec.id), "state", before)
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
    if state is JobState.QUEUED:
        return ledger.admit(deadline_s=60.0), None
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


STEPS = {
    "claim": lambda ledger, spec, claim: ledger.claim(spec),
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
    allowed = {state: set(onto) for state, onto in TRANSITIONS.items()}
    allowed[JobState.QUEUED].remove(JobState.FAILED)  # open to a step to come; no step fails a job that nobody has taken
    assert seen == allowed
