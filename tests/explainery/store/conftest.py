"""A ledger on a real Redis, and the few handles the tests turn."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis

from explainery.contract.job import Baseline, JobSpec, JobState, ModelRef
from explainery.settings import Settings
from explainery.store.connection import connect
from explainery.store.ids import new_job_id
from explainery.store.jobs import Advance, Claim, JobStore, Limits
from explainery.store.keys import key

BLOB = b"inputs"
PATIENCE_S = 10.0


class Ledger:
    """A `JobStore` (`.jobs`) with short words for what tests do all the time."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.redis: Redis = connect(settings)
        self.jobs = JobStore(self.redis, settings)

    def spec(self, **changes: Any) -> JobSpec:
        rows = changes.get("rows", 1)
        model = ModelRef(name=changes.pop("model", "digits"), version="1", digest="sha256:" + "a" * 64)
        fields = {
            "id": new_job_id(),
            "model": model,
            "method": "saliency",
            "method_requested": "auto",
            "params": {},
            "rows": rows,
        }
        fields |= {"target": ("predicted",) * rows, "baseline": Baseline(kind="zeros"), "seed": 0}
        return JobSpec(**{**fields, **changes})

    def admit(self, *, fresh: bool = False, **changes: Any) -> JobSpec:
        spec = self.spec(**changes)
        self.jobs.admit(spec, BLOB, fresh=fresh)
        return spec

    def claim(
        self, spec: JobSpec, worker: str = "w1", max_jobs: int = 16, max_rows: int = 256, max_s: float = 1e6, **how: Any
    ) -> list[Claim]:
        """Claim jobs of the group of `spec`."""
        return self.jobs.claim(worker, Limits(max_jobs, max_rows, max_s), group=spec.group, **how).claims

    def running(self, worker: str = "w1", **changes: Any) -> Claim:
        """Admit a job and claim it."""
        [claim] = self.claim(self.admit(**changes), worker, answered="any")
        return claim

    def succeed(self, claim: Claim, worker: str = "w1", result: bytes = b"result") -> bool:
        return self.jobs.succeed(worker, claim.spec.id, claim.fence, result, self.advance(claim, 4), 0.001)

    def advance(self, claim: Claim, done: int = 0) -> Advance:
        return Advance(claim.spec.id, claim.fence, done, 4, "model_evaluations")

    def state(self, spec: JobSpec) -> JobState:
        return self.jobs.get(spec.id).status

    def past(self, index: str, spec: JobSpec) -> None:
        """Let the time in `index` (running: the lease, deadlines, ending) come without waiting for it."""
        assert self.redis.zadd(key(index), {spec.id: 0}, xx=True, ch=True) == 1
        if index == "deadlines":
            self.redis.hset(key("job", spec.id), "deadline", 0)
        if index == "ending":
            self.redis.hset(key("job", spec.id), "forget_at", 0)

    def lose(self, spec: JobSpec) -> None:
        """Let the lease run out and the reaper come."""
        self.past("running", spec)
        self.jobs.reap(backlog=0)


@pytest.fixture
def ledger_with(settings: Settings) -> Iterator[Callable[..., Ledger]]:
    """Make a ledger with some settings changed."""
    made: list[Ledger] = []

    def make(**changes: Any) -> Ledger:
        made.append(Ledger(dataclasses.replace(settings, **changes)))
        return made[-1]

    yield make
    for ledger in made:
        ledger.redis.close()


@pytest.fixture
def ledger(ledger_with: Callable[..., Ledger]) -> Ledger:
    return ledger_with()


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Wait for a condition; fail when it does not come."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come"
            time.sleep(0.01)

    return wait
