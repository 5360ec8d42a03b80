"""The simulated installation: workers, their models and the bells, event by event, around the real ledger on a real Redis.

What is simulated is the world: arrivals, loading, computing, the delivery of bells, and time itself. Who gets which job when
is decided by the real Lua, which reads the time from a key.

Simpler than the truth in four ways. A worker looks for work when a batch is done, not within it. It says once that it lives, as
heartbeats of a thousand workers would be most of the simulation: the lease is longer than the simulation; for the same reason
it says itself when it has dropped a model, which the truth forgets a lease later. Nothing fails. One caller reaps.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from redis import Redis

from benchmarks.simulation.traffic import Ask, Scale, load_times
from explainery.contract.job import Baseline, JobSpec, ModelRef
from explainery.settings import Settings
from explainery.store.jobs import Advance, Claim, JobStore, Limits
from explainery.store.keys import key
from explainery.store.scripting import SET_CLOCK

LIMITS = Limits(jobs=64, rows=256, compute_s=2.0)
BELL_S = 0.001
FUSED = 0.4
"""What of a batch's cost is left when infinitely many jobs are fused."""
BLOB = b"x" * 100
ANYBODY = "any"


@dataclass
class Wait:
    """How long one job waited for a worker, and for the model."""

    ask: Ask
    wait_s: float
    load_s: float


@dataclass
class Record:
    """What is measured."""

    waits: list[Wait] = field(default_factory=list)
    loads: int = 0
    load_s: float = 0.0
    compute_s: float = 0.0
    idle_s: float = 0.0
    """Seconds workers slept though jobs waited: as many as there were jobs, of all together."""
    claims: int = 0
    end_s: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)
    call_s: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))


class Floor:
    """Plays `asks` against the ledger; `run` gives the record."""

    def __init__(self, redis: Redis, settings: Settings, scale: Scale, asks: list[Ask]) -> None:
        self._redis, self._scale, self._asks = redis, scale, asks
        self._jobs = JobStore(redis, settings, clock=SET_CLOCK)
        self._began_s = int(time.time())
        self._now_s = 0.0
        self._names = [f"w{number}" for number in range(scale.workers)]
        self._models: dict[str, OrderedDict[str, None]] = {name: OrderedDict() for name in self._names}
        self._asleep: OrderedDict[str, None] = OrderedDict.fromkeys(self._names)
        self._bells: Counter[str] = Counter()
        self._load_times = load_times(scale)
        self._refs = [ModelRef(name=f"m{number}", version="1", digest="sha256:" + "a" * 64) for number in range(scale.models)]
        self._open: dict[str, Ask] = {}
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = count()
        self._left = len(asks)
        self.record = Record()

    def run(self) -> Record:
        """Until every job has ended."""
        self._set_clock(0.0)
        self._redis.zadd(key("workers"), dict.fromkeys(self._names, self._began_s * 1000))
        coming = deque(self._asks)
        self._at(self._scale.reap_s, self._reap)
        while self._left:
            if coming and coming[0].at_s <= self._events[0][0]:
                self._set_clock(coming[0].at_s)
                self._arrive(coming.popleft())
            else:
                when_s, _, action, about = heapq.heappop(self._events)
                self._set_clock(when_s)
                action(*about)
        self.record.end_s = self._now_s
        return self.record

    def _at(self, when_s: float, action: Callable[..., None], *about: Any) -> None:
        heapq.heappush(self._events, (when_s, next(self._order), action, about))

    def _set_clock(self, now_s: float) -> None:
        if self._open:
            self.record.idle_s += (now_s - self._now_s) * min(len(self._asleep), len(self._open))
        self._now_s = now_s
        seconds, part = divmod(self._began_s + now_s, 1)
        self._redis.hset(key("clock"), mapping={"seconds": int(seconds), "microseconds": int(part * 1e6)})

    def _timed(self, step: str, *args: Any, **more: Any) -> Any:
        began = time.perf_counter()
        answer = getattr(self._jobs, step)(*args, **more)
        self.record.calls[step] += 1
        self.record.call_s[step] += time.perf_counter() - began
        return answer

    def _arrive(self, ask: Ask) -> None:
        spec = self._spec(f"j{next(self._order):09}", ask)
        self._open[spec.id] = ask
        self._ring(self._timed("admit", spec, BLOB).ring)

    def _spec(self, job_id: str, ask: Ask) -> JobSpec:
        return JobSpec(
            id=job_id,
            model=self._refs[ask.model],
            method="saliency",
            method_requested="saliency",
            params={},
            rows=1,
            target=("predicted",),
            baseline=Baseline(kind="zeros"),
            seed=0,
            priority="batch" if ask.batch else "interactive",
            tenant=f"t{ask.tenant}",
            effort=max(1, round(ask.estimate_s * 1000)),
        )

    def _ring(self, whom: str | None) -> None:
        """Deliver a bell to who sleeps; else it lies in its queue until somebody who listens to that has nothing to do."""
        if whom is None:
            return
        worker = next(iter(self._asleep), None) if whom == ANYBODY else whom
        if worker in self._asleep:
            del self._asleep[worker]
            self._at(self._now_s + BELL_S, self._look, worker, whom)
        else:
            self._bells[whom] += 1

    def _look(self, worker: str, answered: str = "") -> None:
        claims = self._timed("claim", worker, LIMITS, answered=answered).claims
        if claims:
            self._take(worker, claims)
            return
        for whom in (worker, ANYBODY):
            if self._bells[whom]:
                self._bells[whom] -= 1
                self._at(self._now_s + BELL_S, self._look, worker, whom)
                return
        self._asleep[worker] = None

    def _take(self, worker: str, claims: list[Claim]) -> None:
        asks = [self._open.pop(claim.spec.id) for claim in claims]
        load_s = self._load(worker, claims[0].spec.group, asks[0].model)
        self.record.waits += [Wait(ask, self._now_s - ask.at_s, load_s) for ask in asks]
        alone_s = sum(ask.compute_s for ask in asks)
        compute_s = alone_s * (FUSED + (1 - FUSED) / len(asks))
        self.record.compute_s += compute_s
        self.record.claims += 1
        shares = [(claim, ask.compute_s * compute_s / alone_s) for claim, ask in zip(claims, asks, strict=True)]
        self._at(self._now_s + load_s + compute_s, self._finish, worker, shares)

    def _load(self, worker: str, group: str, model: int) -> float:
        """Seconds until the worker has the model; the least recently used one goes."""
        cached = self._models[worker]
        known = group in cached
        cached[group] = None
        cached.move_to_end(group)
        if known:
            return 0.0
        load_s = self._load_times[model]
        self.record.loads += 1
        self.record.load_s += load_s
        self._timed("loaded", group, load_s)
        if len(cached) > self._scale.cache:
            self._redis.zrem(key("resident", cached.popitem(last=False)[0]), worker)
        return load_s

    def _finish(self, worker: str, shares: list[tuple[Claim, float]]) -> None:
        for claim, compute_s in shares:
            advance = Advance(claim.spec.id, claim.fence, 1, 1, "model_evaluations")
            self._left -= self._timed("succeed", worker, claim.spec.id, claim.fence, BLOB, advance, compute_s)
        self._look(worker)

    def _reap(self) -> None:
        for whom in self._timed("reap", backlog=self._bells[ANYBODY]).ring:
            self._ring(whom)
        self._at(self._now_s + self._scale.reap_s, self._reap)
