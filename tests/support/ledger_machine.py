"""Hypothesis drives the real Lua on a real Redis against a small model of it; after every step all of Redis is looked at.

The steps read the time from a key that the machine sets, so leases, deadlines, delays and results run out for real. The model
knows what must become of every job, but not whose turn it is: which jobs a claim gives, it takes from the answer, and checks.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from math import inf
from typing import Any

from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from explainery.contract.errors import JobEnded
from explainery.contract.job import JobError, JobState
from explainery.store.jobs import Advance, JobStore, Limits
from explainery.store.keys import PREFIX, key
from explainery.store.payloads import POINTER
from explainery.store.scripting import BELLS, SET_CLOCK, Step

DAY_S = 86_400
SETTINGS: dict[str, Any] = {
    "tenant_running": 2,
    "max_attempts": 3,
    "max_retries": 1,
    "model_deaths": 10**6,
    "lease_s": 10.0,
    "batch_age_s": 60.0,
    "result_ttl_s": 3 * DAY_S,
    "max_age_s": 1e9,
    "tenant_weights": ("gold=3",),
}
LEASE, RESULT_TTL, BATCH_AGE = 10_000, 3 * DAY_S * 1000, 60_000
MAX_ATTEMPTS, MAX_RETRIES, TENANT_RUNNING = 3, 1, 2
QUIET, PATIENCE, AT_WORK = 5000, 30_000, 2000
WORKERS, TENANTS, MODELS, CLASSES = ("w1", "w2"), ("gold", "free"), ("digits", "loans"), ("interactive", "batch")
OPEN = (JobState.QUEUED, JobState.RUNNING)
JUMPS = (100, 600, 1000, 3000, 6000, LEASE, LEASE, BATCH_AGE)
AGES = (DAY_S * 1000, RESULT_TTL - 1000, RESULT_TTL)
PICK = st.integers(0, 99)
OF_A_JOB = ("job", "inputs", "result", "sharers", "gone", "followers")
ENDS = {"fails": ("model_failed", False), "is late": ("deadline_exceeded", False), "may pass": ("resource_exhausted", True)}

DUMP = """
local out = {}
for i, name in ipairs(redis.call('KEYS', KEYS[1] .. '*')) do
  local kind, value = redis.call('TYPE', name).ok, false
  if kind == 'hash' then value = redis.call('HGETALL', name)
  elseif kind == 'zset' then value = redis.call('ZRANGE', name, 0, -1, 'WITHSCORES')
  elseif kind == 'set' then value = redis.call('SMEMBERS', name)
  elseif kind == 'stream' then kind, value = 'set', {}
  else value = redis.call('GET', name) end
  out[i] = { name, kind, redis.call('PTTL', name), value }
end
return out
"""


def thorough(steps: int, **changes: Any) -> hypothesis_settings:
    """At least so many steps in all, in runs of at most fifty."""
    common: dict[str, Any] = {"stateful_step_count": 50, "deadline": None, "suppress_health_check": list(HealthCheck)}
    phases = (Phase.generate, Phase.shrink)
    return hypothesis_settings(max_examples=-(-steps // 40), **{**common, "phases": phases, "database": None, **changes})


@dataclass
class Known:
    """What the model knows of a job that is not forgotten. `spot`: waits (in line or parked), delayed or follows."""

    id: str
    order: int
    group: str
    tenant: str
    content: str | None
    deadline: int | None
    state: JobState = JobState.QUEUED
    spot: str = "waits"
    fence: int = 0
    worker: str | None = None
    lease: int = 0
    losses: int = 0
    failures: int = 0
    until: int = 0
    follows: str | None = None
    owner: str | None = None
    forget_at: int = 0
    quarantined: bool = False

    @property
    def open(self) -> bool:
        return self.state in OPEN


@dataclass(frozen=True)
class Held:
    """A claim that was made, perhaps long ago."""

    worker: str
    id: str
    fence: int

    def advance(self, done: int) -> Advance:
        return Advance(self.id, self.fence, done, 9, "model_evaluations")


class Image:
    """Everything in Redis, by kind and name. A hash or sorted set is a dict, a set a set, a string itself."""

    def __init__(self, rows: list[Any]) -> None:
        self.values: dict[str, dict[str, Any]] = defaultdict(dict)
        self.ttl: dict[tuple[str, str], int] = {}
        for name, shape, ttl, value in rows:
            kind, _, rest = name.decode().removeprefix(PREFIX).partition(":")
            self.values[kind][rest] = _value(shape, value)
            self.ttl[kind, rest] = ttl
        self.records = self.values["job"]

    def at(self, kind: str, name: str = "") -> Any:
        return self.values[kind].get(name, {})

    def numbers(self, kind: str) -> dict[str, int]:
        return {field: int(value) for field, value in self.at(kind).items()}

    def rows(self, state: str) -> list[dict[str, str]]:
        return [record for record in self.records.values() if record["state"] == state]


def _value(shape: bytes, value: Any) -> Any:
    if shape == b"string":
        return value.decode()
    texts = [item.decode() for item in value]
    if shape == b"set":
        return set(texts)
    pairs = zip(texts[::2], texts[1::2], strict=True)
    return {member: float(score) for member, score in pairs} if shape == b"zset" else dict(pairs)


class LedgerMachine(RuleBasedStateMachine):
    """Every step in any order. A subclass says which `ledger` (`ledger_with(**SETTINGS)`)."""

    ledger: Any = None
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        ledger = self.ledger
        ledger.redis.flushall()
        self.redis, self.jobs = ledger.redis, JobStore(ledger.redis, ledger.settings, clock=SET_CLOCK)
        self.announce_step = Step(ledger.redis, ledger.settings, "announce", SET_CLOCK)
        self.dump = ledger.redis.register_script(DUMP)
        self.known: dict[str, Known] = {}
        self.gone: set[str] = set()
        self.same: dict[str, str] = {}
        self.results: dict[str, str] = {}
        self.held: list[Held] = []
        self.bells: Counter[str] = Counter()
        self.rung: dict[str, int] = {}
        self.virtual: dict[str, int] = {}
        self.revisions: dict[str, int] = {}
        self.admitted = 0
        self.reaped = False
        self.now = int(time.time() * 1000)
        self.set_clock()

    def set_clock(self) -> None:
        seconds, ms = divmod(self.now, 1000)
        self.redis.hset(key("clock"), mapping={"seconds": seconds, "microseconds": ms * 1000})

    def image(self) -> Image:
        rows: Any = self.dump(keys=[PREFIX])
        return Image(rows)

    # --- the model: what becomes of jobs

    def followers(self, job: Known) -> list[Known]:
        mine = [other for other in self.known.values() if other.open and other.follows == job.id]
        return sorted(mine, key=lambda other: other.order)

    def end(self, job: Known, to: JobState) -> None:
        followers = self.followers(job)
        self.end_one(job, to)
        if to is not JobState.SUCCEEDED and job.content and self.same.get(job.content) == job.id:
            del self.same[job.content]
        if followers and to in (JobState.CANCELED, JobState.EXPIRED):
            self.inherit(job, followers)
            return
        for follower in followers:
            self.end_one(follower, to)
            follower.owner = job.id if to is JobState.SUCCEEDED else None

    def end_one(self, job: Known, to: JobState) -> None:
        job.state, job.forget_at = to, self.now + RESULT_TTL

    def inherit(self, job: Known, followers: list[Known]) -> None:
        heir = followers[0]
        heir.follows, heir.spot = None, "waits"
        for other in followers[1:]:
            other.follows = heir.id
        if job.content:
            self.same[job.content] = heir.id

    def end_fenced(self, job: Known, to: JobState) -> None:
        job.fence += 1
        self.end(job, to)

    def requeue(self, job: Known, tries: int = 0) -> None:
        """`tries`: of which the delay depends; 0: none."""
        job.state, job.worker, job.spot = JobState.QUEUED, None, "waits"
        job.fence += 1
        if tries:
            score: Any = self.redis.zscore(key("delayed"), job.id)
            least = 250 * 2**tries
            assert score is not None
            assert 0.5 * least <= score - self.now <= 1.5 * least
            job.spot, job.until = "delayed", int(score)

    def lose(self, job: Known) -> None:
        job.losses += 1
        if job.losses < MAX_ATTEMPTS:
            self.requeue(job, job.losses if job.losses > 1 else 0)
        else:
            job.quarantined = True
            self.end_fenced(job, JobState.FAILED)

    def forget_known(self, job: Known) -> None:
        if job.open:
            self.end_fenced(job, JobState.CANCELED)
        if job.content and self.same.get(job.content) == job.id:
            del self.same[job.content]
        del self.known[job.id]
        self.gone.add(job.id)

    def delays_end(self) -> None:
        for job in self.known.values():
            if job.state is JobState.QUEUED and job.spot == "delayed" and job.until <= self.now:
                job.spot = "waits"

    def overdue(self, job: Known) -> bool:
        return job.deadline is not None and job.deadline <= self.now

    def ring(self, *calls: str | None) -> None:
        for whom in calls:
            if whom is not None:
                self.bells[whom] += 1
                self.rung[whom] = self.now
                assert self.bells[whom] <= (BELLS if whom == "any" else 1)

    def twin(self, content: str | None, fresh: bool) -> Known | None:
        return None if content is None or fresh else self.known.get(self.same.get(content, ""))

    def pick(self, which: int) -> Known:
        return list(self.known.values())[-1 - which % len(self.known)]

    # --- the steps

    @rule(
        who=st.tuples(st.sampled_from(TENANTS), st.sampled_from(MODELS), st.sampled_from(CLASSES)),
        content=st.sampled_from((None, "a", "a", "b")),
        fresh=st.integers(0, 4).map(lambda n: n == 0),
        deadline_s=st.sampled_from((None, None, None, 0.5, 8.0)),
        rows=st.integers(1, 4),
        decision=st.booleans(),
        stored=st.sampled_from((b"inputs", b"more inputs", POINTER + b"d1")),
    )
    def admit(self, who, content, fresh, deadline_s, rows, decision, stored):
        tenant, model, priority = who
        content = content and f"{model}-{content}"
        more = {"decision_id": "d" if decision else None, "deadline_s": deadline_s, "effort": 4 * rows}
        spec = self.ledger.spec(model=model, rows=rows, tenant=tenant, priority=priority, content=content, **more)
        twin = self.twin(content, fresh)
        said = self.jobs.admit(spec, stored, fresh=fresh)
        assert said.dedupe_of == (twin and twin.id)
        self.ring(said.ring)
        deadline = self.now + round(deadline_s * 1000) if deadline_s else None
        self.admitted += 1
        job = self.known[spec.id] = Known(spec.id, self.admitted, spec.group, tenant, content, deadline)
        if twin is None:
            if content:
                self.same[content] = job.id
        elif twin.open:
            job.follows, job.spot = twin.id, "follows"
        else:
            self.end_one(job, JobState.SUCCEEDED)
            job.owner = twin.owner or twin.id

    @rule(tenant=st.sampled_from(TENANTS), model=st.sampled_from(MODELS), count=st.integers(2, 7), same=st.booleans())
    def many_are_admitted(self, tenant, model, count, same):
        """All ask the same, or each something else."""
        for _ in range(count):
            self.admit((tenant, model, "interactive"), "a" if same else None, False, None, 1, False, POINTER + b"d1")

    @precondition(lambda self: self.known)
    @rule(which=PICK)
    def admit_is_said_again(self, which):
        job = self.pick(which)
        spec = self.ledger.spec(id=job.id, tenant=job.tenant, model=job.group.partition("@")[0], content=job.content)
        self.ring(self.jobs.admit(spec, b"other inputs").ring)

    @rule(
        worker=st.sampled_from(WORKERS),
        model=st.sampled_from((None, *MODELS)),
        jobs=st.integers(1, 3),
        rows=st.integers(2, 8),
        answered=st.sampled_from(("", "any", "own")),
        joining=st.booleans(),
    )
    def claim(self, worker, model, jobs, rows, answered, joining):
        group = self.ledger.spec(model=model).group if model else ""
        answered = worker if answered == "own" else answered
        self.bells[answered] -= 1
        self.bells = +self.bells
        self.delays_end()
        how = {"group": group, "answered": answered, "joining": joining}
        claimed = self.jobs.claim(worker, Limits(jobs, rows), **how)
        self.some_were_late()
        claims = claimed.claims
        assert len(claims) <= jobs
        assert len(claims) == 1 or sum(claim.spec.rows for claim in claims) <= rows
        alone = [claim for claim in claims if claim.losses]
        assert not alone or (len(claims) == 1 and not joining)
        for claim in claims:
            self.take(worker, claim, claimed.group)
        if not claims and not joining and claimed.group:
            assert not any(name.endswith(f":{claimed.group}") for name in self.image().values["line"])

    def take(self, worker: str, claim: Any, group: str | None) -> None:
        job = self.known[claim.spec.id]
        assert (job.state, job.spot, job.group) == (JobState.QUEUED, "waits", group)
        assert not self.overdue(job)
        assert (claim.losses, claim.deadline_ms, claim.fence) == (job.losses, job.deadline, job.fence + 1)
        assert claim.inputs
        job.state, job.worker, job.fence, job.lease = JobState.RUNNING, worker, claim.fence, self.now + LEASE
        self.held.append(Held(worker, job.id, claim.fence))

    def some_were_late(self) -> None:
        """A claim ends what it finds past its deadline; what it finds depends on whose turn it is."""
        records = self.image().records
        while late := [
            job
            for job in self.known.values()
            if job.state is JobState.QUEUED and job.spot == "waits" and records[job.id]["state"] == "expired"
        ]:
            for job in late:
                assert self.overdue(job)
                self.end_fenced(job, JobState.EXPIRED)

    @rule(worker=st.sampled_from(WORKERS), model=st.sampled_from(MODELS))
    def claim_all(self, worker, model):
        self.claim(worker, model, 16, 99, "", False)

    @rule(worker=st.sampled_from(WORKERS), how=st.sampled_from(("works", "works", "works", *ENDS)))
    def a_worker_does_all_it_can(self, worker, how):
        for model in MODELS:
            self.claim(worker, model, 16, 99, "", False)
        for held in [held for held in self.held if held.worker == worker and self.holds(held)]:
            self.finish_once(held, how)

    @precondition(lambda self: self.answered())
    @rule(which=PICK, tenant=st.sampled_from(TENANTS), ms=st.sampled_from((0, 1000, DAY_S * 1000, RESULT_TTL - 1000)))
    def what_was_answered_is_asked_again(self, which, tenant, ms):
        self.time_passes(ms, False, False, 0)
        answered = self.answered()
        content = answered[which % len(answered)]
        model, _, name = content.partition("-")
        self.admit((tenant, model, "interactive"), name, False, None, 1, False, b"inputs")

    def answered(self) -> list[str]:
        return [content for content, owner in self.same.items() if not self.known[owner].open]

    @precondition(lambda self: self.owners())
    @rule(which=PICK)
    def whose_result_is_shared_is_forgotten(self, which):
        owners = self.owners()
        self.forget_one(self.known[owners[which % len(owners)]])

    def owners(self) -> list[str]:
        return sorted({job.owner for job in self.known.values() if job.owner} & self.known.keys())

    def holds(self, held: Held) -> bool:
        job = self.known.get(held.id)
        return job is not None and (job.worker, job.fence) == (held.worker, held.fence)

    @precondition(lambda self: self.held)
    @rule(which=st.lists(st.integers(0, 5), min_size=1, max_size=3), done=st.integers(0, 9))
    def heartbeat(self, which, done):
        """Of claims that hold, and of such as do not any more."""
        worker = self.held[-1 - which[0] % len(self.held)].worker
        mine = [held for held in self.held if held.worker == worker]
        said = {mine[-1 - index % len(mine)] for index in which}
        refused = self.jobs.renew(worker, [held.advance(done) for held in said])
        expected = set()
        for held in said:
            job = self.known.get(held.id)
            if job is None or job.state is not JobState.RUNNING or not self.holds(held):
                expected.add(held.id)
            elif self.overdue(job):
                self.end_fenced(job, JobState.EXPIRED)
                expected.add(held.id)
            else:
                job.lease = self.now + LEASE
        assert refused == expected

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 5), how=st.sampled_from(("works", "works", "works", *ENDS)), twice=st.booleans())
    def finish(self, which, how, twice):
        """Any claim that was ever made: written if it holds; said again, it is known, and nothing more."""
        held = self.held[-1 - which % len(self.held)]
        for _ in range(1 + twice):
            self.finish_once(held, how)

    def finish_once(self, held: Held, how: str) -> None:
        result = b"result of %d for %s" % (held.fence, held.id.encode())
        if held.fence % 2:
            result = POINTER + result
        if how == "works":
            written = self.jobs.succeed(held.worker, held.id, held.fence, result, held.advance(9), 0.001)
            to = JobState.SUCCEEDED
        else:
            code, retryable = ENDS[how]
            error = JobError(code=code, detail="It did not work.", retryable=retryable)
            written = self.jobs.fail(held.worker, held.id, held.fence, error)
            to = {"fails": JobState.FAILED, "is late": JobState.EXPIRED, "may pass": JobState.QUEUED}[how]
        job = self.known.get(held.id)
        if job is None or not self.holds(held) or job.state is not JobState.RUNNING:
            known_already = job is not None and self.holds(held) and job.state is to
            assert known_already <= written
            return
        assert written
        if to is JobState.SUCCEEDED:
            assert job.id not in self.results
            self.results[job.id] = result.decode()
        if to is not JobState.QUEUED:
            self.end(job, to)
            return
        job.failures += 1
        if job.failures > MAX_RETRIES:
            self.end(job, JobState.FAILED)
        else:
            self.requeue(job, job.failures)

    @precondition(lambda self: self.held)
    @rule(lost=st.booleans(), how=st.sampled_from(("works", "fails")))
    def a_worker_that_lost_its_jobs_claims_again(self, lost, how):
        """The race that fences are for: it still has the old claim in hand."""
        held = self.held[-1]
        self.release(held.worker, lost, False)
        self.claim(held.worker, held.id in self.known and self.known[held.id].group.partition("@")[0], 3, 8, "", False)
        self.finish_once(held, how)

    @precondition(lambda self: self.known)
    @rule(which=PICK)
    def cancel(self, which):
        job = self.pick(which)
        if job.open:
            self.cancel_open(job)
            return
        try:
            self.jobs.cancel(job.id)
        except JobEnded as ended:
            assert ended.state == job.state  # noqa: PT017 - pytest.raises would hide which
        else:
            raise AssertionError("an ended job was canceled")

    def cancel_open(self, job: Known) -> None:
        _, whom = self.jobs.cancel(job.id)
        self.end_fenced(job, JobState.CANCELED)
        self.ring(whom)

    @rule(tenant=st.sampled_from(TENANTS))
    def a_tenant_cancels_what_is_in_line(self, tenant):
        for job_id, record in self.image().records.items():
            if (record["state"], record["spot"], record["tenant"]) == ("queued", "line", tenant):
                self.cancel_open(self.known[job_id])

    @precondition(lambda self: self.known)
    @rule(which=PICK)
    def forget(self, which):
        self.forget_one(self.pick(which))

    def forget_one(self, job: Known) -> None:
        self.ring(self.jobs.forget(job.id))
        self.forget_known(job)

    @rule(worker=st.sampled_from(WORKERS), lost=st.booleans(), suspect=st.booleans())
    def release(self, worker, lost, suspect):
        mine = [job for job in self.known.values() if job.state is JobState.RUNNING and job.worker == worker]
        suspects = [job.id for job in mine[:1] if suspect]
        calls = self.jobs.release(worker, lost=lost, manner="signal 9", suspects=suspects)
        for job in mine:
            if lost or job.id in suspects:
                self.lose(job)
            else:
                self.requeue(job)
        self.bells.pop(worker, None)
        self.rung.pop(worker, None)
        self.ring(*calls)
        if any((job.state, job.spot) == (JobState.QUEUED, "waits") for job in mine) and not calls:
            assert self.redis.zcard(key("workers")) > 0 or self.bells["any"] == BELLS

    @rule(worker=st.sampled_from(WORKERS), resident=st.sets(st.sampled_from(MODELS)))
    def announce(self, worker, resident):
        groups = [self.ledger.spec(model=model).group for model in sorted(resident)]
        self.announce_step(worker, "{}", "digest", "{}", *groups)

    @rule(
        ms=st.sampled_from(JUMPS),
        goes_back=st.integers(0, 9).map(lambda n: n == 0),
        reaps=st.booleans(),
        backlog=st.integers(0, 1),
    )
    def time_passes(self, ms, goes_back, reaps, backlog):
        """Sometimes the clock is set back a little."""
        self.now += -500 if goes_back else ms
        self.set_clock()
        if reaps:
            self.reap(backlog)

    @precondition(lambda self: self.results)
    @rule(ms=st.sampled_from(AGES), backlog=st.integers(0, 1))
    def results_grow_old(self, ms, backlog):
        self.time_passes(ms, False, True, backlog)

    @rule(backlog=st.integers(0, 1))
    def reap(self, backlog):
        said = self.jobs.reap(backlog=backlog)
        late = [job for job in self.known.values() if job.open and self.overdue(job)]
        for job in late:
            self.end_fenced(job, JobState.EXPIRED)
        silent = [job for job in self.known.values() if job.state is JobState.RUNNING and job.lease <= self.now]
        for job in silent:
            self.lose(job)
        self.delays_end()
        old = [job for job in self.known.values() if not job.open and job.forget_at <= self.now]
        for job in old:
            self.forget_known(job)
        failed = sum(job.quarantined for job in silent)
        assert (said.expired, said.lost, said.requeued) == (len(late), failed, len(silent) - failed)
        assert said.forgotten == len(old)
        waits: Any = self.redis.exists(*(key("groups", priority) for priority in CLASSES))
        lost_before = self.now - (PATIENCE if backlog else QUIET)
        if not waits and not backlog:
            lost_before = self.now
        for whom in [whom for whom, at in self.rung.items() if at <= lost_before]:
            del self.rung[whom]
            self.bells.pop(whom, None)
        self.ring(*said.ring)
        self.reaped = True

    # --- what is true after every step

    @invariant()
    def the_ledger_is_whole(self):
        type(self).steps += 1
        image = self.image()
        self.jobs_are_as_the_model_says(image)
        self.every_job_is_in_its_state_s_lists(image)
        self.who_waits_is_in_one_spot(image)
        self.groups_stand_where_their_heads_do(image)
        self.who_follows_follows_an_open_job(image)
        self.who_runs_is_held(image)
        self.sums_are_right(image)
        self.results_can_be_read(image)
        self.payloads_are_held(image)
        self.nothing_outlives_its_job(image)
        self.somebody_is_called(image)
        self.times_only_go_on(image)
        self.what_was_told_last_is_so(image)

    def jobs_are_as_the_model_says(self, image: Image) -> None:
        assert {name: record["state"] for name, record in image.records.items()} == {
            job.id: job.state.value for job in self.known.values()
        }
        for job in self.known.values():
            record = image.records[job.id]
            assert (int(record["losses"]), int(record["failures"])) == (job.losses, job.failures)
            assert ("quarantined" in record) == job.quarantined
            assert record.get("result_of") == job.owner
            if job.state is JobState.QUEUED:
                assert {"line": "waits", "parked": "waits"}.get(record["spot"], record["spot"]) == job.spot
                assert record.get("follows") == job.follows
                assert "worker" not in record
            if job.state is JobState.RUNNING:
                assert (record["worker"], int(record["fence"])) == (job.worker, job.fence)

    def every_job_is_in_its_state_s_lists(self, image: Image) -> None:
        orders = {job.id: float(job.order) for job in self.known.values()}
        assert image.at("jobs") == orders
        for state in JobState:
            assert image.at("state", state) == {job.id: orders[job.id] for job in self.known.values() if job.state is state}
        for tenant in TENANTS:
            self.a_tenant_s_lists_hold_its_own(image, tenant)
        assert image.at("ending") == {job.id: job.forget_at for job in self.known.values() if not job.open}
        assert set(image.at("quarantine")) == {job.id for job in self.known.values() if job.quarantined}
        assert image.at("deadlines") == {job.id: job.deadline for job in self.known.values() if job.open and job.deadline}

    def a_tenant_s_lists_hold_its_own(self, image: Image, tenant: str) -> None:
        """In the order of its own admissions, which says nothing of the others'."""
        own = [job for job in self.known.values() if job.tenant == tenant]
        places = {job.id: float(image.records[job.id]["place"]) for job in own}
        assert sorted(places, key=places.get) == [job.id for job in sorted(own, key=lambda job: job.order)]
        assert max(places.values(), default=0) <= int(image.at("sequence", tenant) or 0)
        assert image.at("jobs", tenant) == places
        for state in JobState:
            assert image.at("state", f"{tenant}:{state}") == {job.id: places[job.id] for job in own if job.state is state}
        for model in MODELS:
            mine = [job for job in own if job.group.startswith(f"{model}@")]
            assert image.at("model", f"{tenant}:{model}") == {job.id: places[job.id] for job in mine}
        decided = {job.id for job in own if "decision" in image.records[job.id]}
        assert set(image.at("decision", f"{tenant}:d")) == decided

    def who_waits_is_in_one_spot(self, image: Image) -> None:
        listed = Counter(
            (kind, name, job_id)
            for kind in ("line", "parked", "delayed", "followers")
            for name, members in image.values[kind].items()
            for job_id in members
        )
        waiting = [(job_id, record) for job_id, record in image.records.items() if record["state"] == "queued"]
        assert listed == Counter((*_spot(record), job_id) for job_id, record in waiting)
        for job_id, record in waiting:
            kind, name = _spot(record)
            score = image.at(kind, name)[job_id]
            if kind == "line":
                assert score == float(record["tag"])
            if kind == "delayed":
                assert score == self.known[job_id].until
        moving = {record["tenant"] for _, record in waiting if record["spot"] in ("line", "delayed")}
        assert set(image.values["parked"]) <= moving | set(image.at("running_of")), "parked for ever"

    def groups_stand_where_their_heads_do(self, image: Image) -> None:
        for priority in CLASSES:
            heads = {
                name.partition(":")[2]: min(line.values())
                for name, line in image.values["line"].items()
                if name.startswith(f"{priority}:")
            }
            assert image.at("groups", priority) == heads

    def who_follows_follows_an_open_job(self, image: Image) -> None:
        for leader, followers in image.values["followers"].items():
            assert self.known[leader].open
            assert self.known[leader].spot != "follows"
            mine = self.followers(self.known[leader])
            assert sorted(followers, key=followers.get) == [job.id for job in mine]

    def who_runs_is_held(self, image: Image) -> None:
        running = [job for job in self.known.values() if job.state is JobState.RUNNING]
        assert image.at("running") == {job.id: job.lease for job in running}
        held = {(worker, job_id) for worker, ids in image.values["held"].items() for job_id in ids}
        assert held == {(job.worker, job.id) for job in running}
        of_tenant = Counter(job.tenant for job in running)
        assert image.numbers("running_of") == of_tenant
        assert all(count <= TENANT_RUNNING for count in of_tenant.values())

    def sums_are_right(self, image: Image) -> None:
        waiting = image.rows("queued")
        count, cost = Counter(record["priority"] for record in waiting), Counter()
        for record in waiting:
            cost[record["priority"]] += int(record["cost"])
        assert image.numbers("queued") == count
        assert image.numbers("queued_us") == +cost
        still_open = [*waiting, *image.rows("running")]
        assert image.numbers("sums").get("input_bytes", 0) == sum(int(record["size"]) for record in still_open)
        for tenant in TENANTS:
            mine = [record for record in still_open if record["tenant"] == tenant]
            assert image.numbers("open_of").get(tenant, 0) == len(mine)
            assert image.numbers("open_us").get(tenant, 0) == sum(int(record["cost"]) for record in mine)
            stored = [
                record["tenant"] == tenant and image.numbers("stored").get(name, 0) for name, record in image.records.items()
            ]
            assert image.numbers("stored_of").get(tenant, 0) == sum(stored)
        assert set(image.at("stored")) <= set(image.records)
        aging = {job_id: float(record["created"]) for job_id, record in image.records.items() if _ages(record)}
        assert image.at("aging") == aging
        if self.reaped:
            assert all(since > self.now - BATCH_AGE for since in aging.values())

    def results_can_be_read(self, image: Image) -> None:
        done = [job for job in self.known.values() if job.state is JobState.SUCCEEDED]
        for job in done:
            owner = job.owner or job.id
            assert image.values["result"].get(owner) == self.results[owner]
        assert set(image.values["result"]) == {job.owner or job.id for job in done}
        computing = {job.id for job in self.known.values() if job.open and not job.follows}
        kept = {job.owner or job.id for job in done} if self.ledger.settings.keep_inputs else set()
        assert set(image.values["inputs"]) == computing | kept | {job.id for job in self.known.values() if job.quarantined}

    def payloads_are_held(self, image: Image) -> None:
        """Whatever points to a payload keeps it, as long as it may be asked for; what is gone keeps none."""
        holders = {
            (digest, holder): until for digest, members in image.values["payload"].items() for holder, until in members.items()
        }
        pointer, needed = POINTER.decode(), {}
        for kind in ("inputs", "result"):
            for job_id, value in image.values[kind].items():
                if value.startswith(pointer):
                    needed[value.removeprefix(pointer), f"{kind}:{job_id}"] = job_id
        assert set(holders) == set(needed)
        for (digest, holder), job_id in needed.items():
            sharing = [job.forget_at for job in self.known.values() if (job.owner or job.id) == job_id and not job.open]
            until = holders[digest, holder]
            assert until >= max(sharing, default=inf), "a payload would be swept too early"
            assert until < inf or job_id in self.known

    def nothing_outlives_its_job(self, image: Image) -> None:
        for (kind, name), ttl in image.ttl.items():
            if kind in OF_A_JOB and not (name in self.known and self.known[name].open):
                assert ttl > 0, f"{kind}:{name} has no expiry"
            if kind in ("same", "ended", "resident", "worker", "pace", "loads"):
                assert ttl > 0, f"{kind} has no expiry"
        assert self.gone <= set(image.values["gone"])

    def somebody_is_called(self, image: Image) -> None:
        assert image.numbers("bells") == self.bells
        assert image.at("rung") == self.rung
        if self.reaped and image.values["line"]:
            looks = [at for at in image.at("awake").values() if at > self.now - AT_WORK]
            assert self.bells or looks, "jobs wait and nobody is called"
        self.reaped = False

    def times_only_go_on(self, image: Image) -> None:
        virtual = image.numbers("virtual")
        assert all(virtual[priority] >= before for priority, before in self.virtual.items())
        self.virtual = virtual
        revisions = {job_id: int(record["revision"]) for job_id, record in image.records.items()}
        assert all(revisions.get(job_id, before) >= before for job_id, before in self.revisions.items())
        self.revisions = revisions

    def what_was_told_last_is_so(self, image: Image) -> None:
        """The newest event of each job says the state it is in, or that it is gone; revisions rise."""
        told: dict[str, tuple[str, int]] = {}
        for tenant in TENANTS:
            for _, entry in self.redis.xrange(key("events", tenant)):
                job_id, state, revision = (entry[name].decode() for name in (b"job", b"state", b"revision"))
                before = told.get(job_id, ("", 0))
                assert int(revision) > before[1] or state == "forgotten", "told out of order, or twice"
                told[job_id] = state, int(revision)
        assert {job_id: state for job_id, (state, _) in told.items()} == {
            **dict.fromkeys(self.gone, "forgotten"),
            **{job_id: record["state"] for job_id, record in image.records.items()},
        }
        assert all(told[job_id][1] <= int(record["revision"]) for job_id, record in image.records.items())


def _spot(record: dict[str, str]) -> tuple[str, str]:
    """Kind and name of the list that a waiting job says it is in."""
    names = {"line": f"{record['priority']}:{record['group']}", "parked": record["tenant"], "delayed": ""}
    if record["spot"] == "follows":
        return "followers", record["follows"]
    return record["spot"], names[record["spot"]]


def _ages(record: dict[str, str]) -> bool:
    return record["state"] == "queued" and record["priority"] == "batch"
