"""Whose turn it is: the real steps under a clock that the tests set, so a minute costs nothing and nothing depends on speed."""

from __future__ import annotations

import heapq
import random
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from explainery.contract.job import JobState
from explainery.store.jobs import Claim, JobStore, Limits
from explainery.store.keys import key
from explainery.store.scripting import SET_CLOCK

STINT_S = 2.0
PULSE_S = 2.5
HELP_S = 0.5
SECOND = 1000
"""Evaluations that are estimated to take a second while nobody has timed any."""


class Clocked:
    """A ledger whose steps read the time from `now_s`."""

    def __init__(self, ledger: Any) -> None:
        self.ledger = ledger
        self.redis = ledger.redis
        self.jobs = ledger.jobs = JobStore(ledger.redis, ledger.settings, clock=SET_CLOCK)
        self.start_s = int(ledger.redis.time()[0])
        self.set(0.0)

    def set(self, now_s: float) -> None:
        self.now_s = now_s
        seconds, part = divmod(now_s, 1)
        self.redis.hset(key("clock"), mapping={"seconds": self.start_s + int(seconds), "microseconds": int(part * 1e6)})

    def wait(self, seconds: float) -> None:
        self.set(self.now_s + seconds)

    def queue(self, tenant: str, jobs: int = 1, cost_s: float = 1.0, **more: Any) -> list[str]:
        """Admit jobs of a tenant that are estimated to take so long; their ids."""
        return [self.ledger.admit(tenant=tenant, effort=round(cost_s * SECOND), **more).id for _ in range(jobs)]

    def claim(self, worker: str = "w1", jobs: int = 1, compute_s: float = STINT_S, **how: Any) -> list[Claim]:
        return self.jobs.claim(worker, Limits(jobs, 256, compute_s), **how).claims

    def order(self, jobs: int, batch: int = 1) -> list[str]:
        """Tenants of the next jobs in the order they are claimed; each claim is worked off at once."""
        tenants: list[str] = []
        while len(tenants) < jobs and (claims := self.claim(jobs=batch)):
            tenants += [claim.spec.tenant for claim in claims]
            for claim in claims:
                self.done(claim)
        return tenants[:jobs]

    def done(self, claim: Claim, worker: str = "w1") -> None:
        advance = self.ledger.advance(claim, 4)
        assert self.jobs.succeed(worker, claim.spec.id, claim.fence, b"", advance, claim.compute_s)

    def queued(self) -> int:
        return int(self.redis.zcard(key("state", JobState.QUEUED)))

    def live(self, *workers: str) -> None:
        self.redis.zadd(key("workers"), dict.fromkeys(workers, round((self.start_s + self.now_s) * 1000)))


@pytest.fixture
def clocked(ledger_with: Callable[..., Any]) -> Callable[..., Clocked]:
    return lambda **changes: Clocked(ledger_with(**changes))


# --- between tenants


@pytest.mark.parametrize("taken", [0, 1, 7])
def test_one_job_behind_a_thousand_starts_within_two_service_times(clocked, taken):
    queue = clocked()
    queue.queue("a", 1000)
    assert queue.order(taken) == ["a"] * taken
    queue.queue("b")
    assert "b" in queue.order(2)


@pytest.mark.parametrize("cost_s", [0.01, 0.1, 1.0])
def test_one_job_behind_a_thousand_is_in_the_next_batch(clocked, cost_s):
    queue = clocked()
    queue.queue("a", 1000, cost_s)
    in_hand = queue.claim(jobs=64)
    queue.queue("b", cost_s=cost_s)
    for claim in in_hand:
        queue.done(claim)
    assert "b" in [claim.spec.tenant for claim in queue.claim(jobs=64)][:2]


@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize("cost_s", [0.01, 1.0])
def test_shares_follow_the_weights(clocked, batch, cost_s):
    queue = clocked(tenant_weights=("a=3", "b=1"))
    queue.queue("b", 400, cost_s)
    queue.queue("a", 400, cost_s)
    shares = Counter(queue.order(400, batch))
    assert shares["a"] == pytest.approx(300, rel=0.1)
    assert shares["b"] == pytest.approx(100, rel=0.1)


def test_shares_follow_the_weights_over_two_models(clocked):
    queue = clocked(tenant_weights=("a=3", "b=1"))
    queue.queue("b", 400, model="one")
    queue.queue("a", 400, model="other")
    shares = Counter(queue.order(400))
    assert shares["a"] == pytest.approx(300, rel=0.1)


def test_shares_are_of_compute_not_of_jobs(clocked):
    queue = clocked()
    queue.queue("a", 200, 0.4)
    queue.queue("b", 200, 0.1)
    shares = Counter(queue.order(200))
    assert shares["a"] * 0.4 == pytest.approx(shares["b"] * 0.1, rel=0.1)


def test_idle_tenants_hoard_no_credit(clocked):
    queue = clocked()
    queue.queue("a", 200)
    assert set(queue.order(100)) == {"a"}
    queue.queue("b", 100)
    assert Counter(queue.order(40))["b"] == pytest.approx(20, abs=2)


def test_who_worked_alone_owes_nothing(clocked):
    queue = clocked()
    queue.queue("a", 100)
    assert len(queue.order(100)) == 100
    queue.queue("b", 40)
    queue.queue("a", 40)
    assert Counter(queue.order(40))["a"] == pytest.approx(20, abs=2)


def test_what_was_promised_is_over_when_nobody_waits(clocked):
    queue = clocked()
    queue.queue("a", 1, cost_s=500.0)
    queue.order(1)
    queue.jobs.reap(backlog=0)
    assert not queue.redis.exists(key("promised", "interactive"))
    queue.queue("b", 10)
    queue.queue("a", 1)
    assert "a" in queue.order(2)


def test_canceled_jobs_give_their_time_back(clocked):
    queue = clocked()
    queue.queue("b", 20)
    for job_id in queue.queue("a", 100):
        queue.jobs.cancel(job_id)
    queue.queue("a")
    assert "a" in queue.order(2)


def test_time_is_given_back_once_not_more(clocked):
    """Who queues and cancels does not come before the others by it."""
    queue = clocked()
    queue.queue("a", 20)
    queue.queue("b", 20)
    for job_id in queue.queue("b", 50):
        queue.jobs.cancel(job_id)
    queue.queue("b", 20)
    assert Counter(queue.order(40))["a"] == pytest.approx(20, abs=2)


# --- the cap of running jobs


def test_no_tenant_runs_more_than_it_may_and_parked_jobs_come_back(clocked):
    queue = clocked(tenant_running=2)
    queue.queue("a", 7, 0.01)
    queue.queue("b", 1, 0.01)
    running = queue.claim(jobs=64)
    assert Counter(claim.spec.tenant for claim in running) == {"a": 2, "b": 1}
    assert queue.claim(jobs=64) == []
    finished = 0
    while running:
        queue.done(running.pop(0))
        finished += 1
        running += queue.claim(jobs=64)
        assert Counter(claim.spec.tenant for claim in running)["a"] <= 2
    assert (finished, queue.queued()) == (8, 0)


def test_a_lost_or_canceled_run_makes_room(clocked):
    queue = clocked(tenant_running=1)
    first, second, third = queue.queue("a", 3)
    assert [claim.spec.id for claim in queue.claim(jobs=64)] == [first]
    assert queue.claim() == []
    queue.jobs.cancel(first)
    assert [claim.spec.id for claim in queue.claim()] == [second]
    queue.jobs.release("w1", lost=False)
    assert {claim.spec.id for claim in queue.claim(jobs=64)} <= {second, third}
    assert queue.redis.hgetall(key("running_of")) == {b"a": b"1"}


def test_the_cap_lets_others_work(clocked):
    """A line that holds nothing but capped jobs is not the end of the look."""
    queue = clocked(tenant_running=1)
    queue.queue("a", 4, model="one")
    assert len(queue.claim("w1")) == 1
    queue.queue("b", 1, model="other")
    assert [claim.spec.tenant for claim in queue.claim("w2")] == ["b"]


# --- interactive and batch


def test_interactive_comes_before_batch(clocked):
    queue = clocked()
    queue.queue("a", 5, priority="batch")
    queue.queue("b", 5, model="other", priority="interactive")
    assert queue.order(10) == ["b"] * 5 + ["a"] * 5


def test_a_batch_job_waits_no_longer_than_its_age(clocked):
    """The worker always has interactive jobs to do, and does them first until the batch job has come of age."""
    queue = clocked(batch_age_s=60.0)
    queue.queue("slow", priority="batch")
    queue.queue("a", 5)
    began = None
    while began is None and queue.now_s < 100:
        queue.queue("a")
        [claim] = queue.claim()
        began = queue.now_s if claim.spec.tenant == "slow" else None
        queue.wait(1.0)
        queue.done(claim)
        queue.jobs.reap(backlog=0)
    assert 60 <= began <= 60 + 2 + 2


def test_batch_jobs_that_came_of_age_do_not_starve_the_others(clocked):
    queue = clocked(batch_age_s=60.0)
    queue.queue("slow", 300, priority="batch")
    queue.wait(61)
    queue.jobs.reap(backlog=0)
    queue.queue("a")
    assert "a" in queue.order(2)


# --- models


class Floor:
    """Workers, their models and the bells, event by event."""

    def __init__(self, queue: Clocked, workers: int, cache: int, load_s: float = 1.0) -> None:
        self.queue, self.load_s, self.cache = queue, load_s, cache
        self.models: dict[str, OrderedDict[str, None]] = {f"w{index}": OrderedDict() for index in range(workers)}
        self.asleep, self.loads, self.waits = deque(self.models), 0, []
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.numbers = count()
        self.idle_waits: list[float] = []
        self.queue.live(*self.models)

    def at(self, when_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self.events, (when_s, next(self.numbers), action))

    def arrive(self, tenant: str, **more: Any) -> None:
        spec = self.queue.ledger.spec(tenant=tenant, **more)
        self.ring(self.queue.jobs.admit(spec, b"").ring)

    def ring(self, whom: str | None) -> None:
        """A bell reaches who sleeps; who is at work answers it when it is done."""
        if whom is None or not self.asleep:
            return
        if whom != "any" and whom not in self.asleep:
            return
        worker = self.asleep[0] if whom == "any" else whom
        self.asleep.remove(worker)
        self.at(self.queue.now_s + 0.001, lambda: self.look(worker, whom))

    def look(self, worker: str, answered: str = "") -> None:
        claims = self.queue.claim(worker, jobs=64, answered=answered)
        if not claims:
            self.asleep.append(worker)
            return
        self.waits += [(self.queue.now_s - (claim.created_ms / 1000 - self.queue.start_s), claim) for claim in claims]
        ready = self.queue.now_s + self.have(worker, claims[0].spec.group)
        self.at(ready + sum(claim.compute_s for claim in claims), lambda: self.finish(worker, claims))

    def have(self, worker: str, group: str) -> float:
        models = self.models[worker]
        known = group in models
        models[group] = None
        models.move_to_end(group)
        if known:
            return 0.0
        self.loads += 1
        self.queue.jobs.loaded(group, self.load_s)
        if len(models) > self.cache:
            self.queue.redis.zrem(key("resident", models.popitem(last=False)[0]), worker)
        return self.load_s

    def finish(self, worker: str, claims: list[Claim]) -> None:
        for claim in claims:
            self.queue.done(claim, worker)
        self.look(worker)

    def pulse(self) -> None:
        """What heartbeats do."""
        self.queue.live(*self.models)
        now_ms = round((self.queue.start_s + self.queue.now_s) * 1000)
        for worker, models in self.models.items():
            for group in models:
                self.queue.redis.zadd(key("resident", group), {worker: now_ms})
        for whom in self.queue.jobs.reap(backlog=0).ring:
            self.ring(whom)
        self.at(self.queue.now_s + PULSE_S, self.pulse)

    def run(self, jobs: int) -> None:
        self.at(PULSE_S, self.pulse)
        while len(self.waits) < jobs:
            when_s, _, action = heapq.heappop(self.events)
            self.watch(when_s)
            self.queue.set(when_s)
            action()
            assert when_s < 3600, "some jobs are never claimed"

    def watch(self, until_s: float) -> None:
        """How long the oldest job has waited by now while somebody slept all the time since the last event."""
        oldest = self.queue.redis.zrange(key("state", JobState.QUEUED), 0, 0)
        if self.asleep and oldest:
            created = int(self.queue.redis.hget(key("job", oldest[0].decode()), "created")) / 1000 - self.queue.start_s
            self.idle_waits.append(until_s - max(created, 0.0))


def models_of(jobs: int, models: int) -> Iterator[str]:
    names = [f"m{index % models}" for index in range(jobs)]
    random.Random(7).shuffle(names)
    return iter(names)


def test_forty_models_on_four_workers_are_loaded_less_than_twice_each_when_all_come_at_once(clocked):
    floor = Floor(clocked(), workers=4, cache=10)
    for name in models_of(400, 40):
        floor.arrive("a", model=name, effort=SECOND // 4)
    floor.run(400)
    assert 40 <= floor.loads < 80


@pytest.mark.parametrize("gap_s", [0.05, 0.1, 0.3])
def test_forty_models_on_four_workers_are_loaded_less_than_twice_each_when_they_come_over_time(clocked, gap_s):
    floor = Floor(clocked(), workers=4, cache=12)
    for index, name in enumerate(models_of(400, 40)):
        floor.at(index * gap_s, lambda name=name: floor.arrive("a", model=name, effort=SECOND // 4))
    floor.run(400)
    assert 40 <= floor.loads < 80


def test_nobody_sleeps_for_long_while_a_job_waits(clocked):
    """Past the help bound, and the reaper's period twice (its bell, and the one before it that another worker answered)."""
    floor = Floor(clocked(), workers=4, cache=10)
    for index, name in enumerate(models_of(200, 3)):
        floor.at(index * 0.2, lambda name=name: floor.arrive("a", model=name, effort=SECOND // 2))
    floor.run(200)
    assert max(floor.idle_waits, default=0.0) <= max(HELP_S, floor.load_s) + 2 * PULSE_S


def test_one_model_is_helped_out_by_those_who_do_not_have_it(clocked):
    floor = Floor(clocked(), workers=4, cache=10)
    for _ in range(100):
        floor.arrive("a", model="one", effort=SECOND)
    floor.run(100)
    assert floor.loads == 4


def test_another_model_is_served_in_time_by_the_only_worker(clocked):
    """A thousand jobs of one model wait; one of another tenant on another model comes."""
    floor = Floor(clocked(), workers=1, cache=10)
    for _ in range(300):
        floor.arrive("a", model="busy", effort=SECOND)
    floor.at(20.0, lambda: floor.arrive("b", model="other", effort=SECOND))
    floor.run(120)
    [waited] = [wait for wait, claim in floor.waits if claim.spec.tenant == "b"]
    assert waited <= floor.queue.ledger.settings.affinity_s + floor.load_s + 2 * STINT_S


def test_many_models_with_one_job_each_do_not_wait_for_the_busy_one(clocked):
    """No line waits for its turn ten seconds longer than the line chosen, whatever loading costs."""
    floor = Floor(clocked(affinity_s=1000.0), workers=1, cache=10)
    for _ in range(300):
        floor.arrive("a", model="busy", effort=SECOND)
    floor.at(20.0, lambda: floor.arrive("b", model="other", effort=SECOND))
    floor.run(150)
    assert [claim for _, claim in floor.waits if claim.spec.tenant == "b"]
