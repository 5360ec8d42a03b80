"""Any order of steps: no job is lost, none is ended twice, and every index agrees with the records."""

from __future__ import annotations

from hypothesis import HealthCheck, assume
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from explainery.contract.errors import JobEnded
from explainery.contract.job import JobError, JobState
from explainery.store.keys import key
from explainery.store.scripting import BELLS

WORKERS = ("w1", "w2")
PICK = st.integers(0, 9)
ERROR = JobError(code="model_failed", detail="The model raised.", retryable=False)
QUICK = hypothesis_settings(max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))


class Steps(RuleBasedStateMachine):
    """Every step, on jobs picked at random; `states` is what was last seen of each job that is not forgotten."""

    ledger = None

    def __init__(self):
        super().__init__()
        self.ledger.redis.flushall()
        self.states, self.claims, self.ends = {}, [], {}

    def pick(self, which, among):
        assume(among)
        return sorted(among)[which % len(among)]

    def ids(self, *name):
        return {member.decode() for member in self.ledger.redis.zrange(key(*name), 0, -1)}

    @rule(urgent=st.booleans(), rows=st.integers(1, 5), late=st.booleans())
    def admit(self, urgent, rows, late):
        more = {"priority": "interactive" if urgent else "batch", "deadline_s": 600.0 if late else None}
        self.states[self.ledger.admit(rows=rows, decision_id="d", **more).id] = JobState.QUEUED

    @rule(worker=st.sampled_from(WORKERS), jobs=st.integers(1, 3), answered=st.booleans(), joining=st.booleans())
    def claim(self, worker, jobs, answered, joining):
        for claim in self.ledger.claim(self.ledger.spec(), worker, jobs, 6, answered=answered, joining=joining):
            assert all(claim.fence > old.fence for _, old in self.claims if old.spec.id == claim.spec.id)
            self.claims.append((worker, claim))

    @precondition(lambda self: self.claims)
    @rule(which=st.integers(0, 3), works=st.booleans())
    def finish(self, which, works):
        """Any claim ever made, stale ones too: written by the newest holder of a running job, or said again by who ended it."""
        worker, claim = self.claims[-1 - which % len(self.claims)]
        job_id = claim.spec.id
        newest = [held for held in self.claims if held[1].spec.id == job_id][-1] == (worker, claim)
        holds = newest and self.states.get(job_id) is JobState.RUNNING
        ended = (claim.fence, works)
        jobs = self.ledger.jobs
        written = self.ledger.succeed(claim, worker) if works else jobs.fail(worker, job_id, claim.fence, ERROR)
        assert written == (holds or self.ends.get(job_id) == ended)
        if holds:
            self.ends[job_id] = ended

    @precondition(lambda self: self.states)
    @rule(which=PICK)
    def cancel(self, which):
        job_id = self.pick(which, self.states)
        try:
            self.ledger.jobs.cancel(job_id)
        except JobEnded:
            assert self.states[job_id].ended
        else:
            assert not self.states[job_id].ended

    @precondition(lambda self: self.states)
    @rule(which=PICK)
    def forget(self, which):
        job_id = self.pick(which, self.states)
        self.ledger.jobs.forget(job_id)
        del self.states[job_id]
        self.ends.pop(job_id, None)

    @rule(worker=st.sampled_from(WORKERS), lost=st.booleans())
    def release(self, worker, lost):
        self.ledger.jobs.release(worker, lost=lost)
        assert not self.ledger.redis.exists(key("held", worker))

    @rule(which=PICK, index=st.sampled_from(["running", "running", "deadlines"]))
    def time_passes(self, which, index):
        self.ledger.past(index, self.ledger.spec(id=self.pick(which, self.ids(index))))
        self.ledger.jobs.reap(backlog=0)

    @precondition(lambda self: self.claims)
    @rule(lost=st.booleans())
    def the_last_worker_wakes_and_claims_again(self, lost):
        """The race that fences are for: it still has the old claim in hand."""
        worker, _ = self.claims[-1]
        self.release(worker, lost)
        self.claim(worker, 1, True, False)

    @invariant()
    def the_ledger_is_whole(self):
        self.no_job_is_lost_and_none_comes_back_from_its_end()
        self.every_job_is_where_its_state_says()
        self.who_waits_is_known_and_bells_are_few()

    def no_job_is_lost_and_none_comes_back_from_its_end(self):
        page = self.ledger.jobs.page(status=None, model=None, decision_id="d", cursor=None, limit=999)
        seen = {job.id: job.status for job in page.jobs}
        assert set(seen) == set(self.states)
        assert all(seen[job_id] is before for job_id, before in self.states.items() if before.ended)
        assert all((job.finished_at is not None) == job.status.ended for job in page.jobs)
        self.states = seen

    def every_job_is_where_its_state_says(self):
        now = {state: {job_id for job_id, was in self.states.items() if was is state} for state in JobState}
        held = set().union(*(self.ledger.redis.smembers(key("held", worker)) for worker in WORKERS))
        assert {state: self.ids("state", state) for state in JobState} == now
        assert self.ids("waiting", self.ledger.spec().group) == now[JobState.QUEUED]
        assert self.ids("running") == now[JobState.RUNNING] == {job_id.decode() for job_id in held}
        assert self.ids("ending") == {job_id for job_id, state in self.states.items() if state.ended}
        assert self.ids("jobs") == set(self.states)

    def who_waits_is_known_and_bells_are_few(self):
        waits = JobState.QUEUED in self.states.values()
        assert self.ledger.redis.zcard(key("groups")) == waits
        assert all(1 <= int(out) <= BELLS for out in self.ledger.redis.hvals(key("bells")))


def test_any_order_of_steps_keeps_the_ledger_whole(ledger_with):
    class Machine(Steps):
        ledger = ledger_with(max_attempts=3)

    run_state_machine_as_test(Machine, settings=QUICK)
