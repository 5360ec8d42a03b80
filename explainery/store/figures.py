"""The ledger in figures: what waits and runs, how old, how fast, who works. Read in one look, the same from every process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explainery.contract.job import JobState
from explainery.store.connection import store_errors
from explainery.store.keys import key

if TYPE_CHECKING:
    from redis import Redis

PRIORITIES = ("interactive", "batch")
TIMES = ("wait", "load", "compute", "store")
SIZES = ("batch", "chunk")
HISTOGRAMS = (*TIMES, *SIZES)
RATE_BUCKETS, BUCKET_S = 6, 10
"""Rates are over the last minute."""


@dataclass(frozen=True)
class Histogram:
    """Times in seconds, or sizes: upper bound -> how many are at most that and more than the bound before; their sum."""

    buckets: dict[float, int]
    total: float


@dataclass(frozen=True)
class Line:
    """What waits in one class, over all models: jobs, and the seconds of compute they are estimated to take."""

    jobs: int
    compute_s: float
    groups: int


@dataclass(frozen=True)
class Figures:
    """One look at the ledger.

    `jobs`: kept, by state. `lines`: by priority. `oldest_age_s`: of the jobs that wait, None when none does.
    `ended_per_s`: over the last minute.
    `counts`: what happened, how often, since the ledger began. `running_of`: jobs that run, by tenant.
    """

    jobs: dict[JobState, int]
    lines: dict[str, Line]
    oldest_age_s: float | None
    ended_per_s: float
    input_bytes: int
    memory_bytes: int
    workers: int
    awake: int
    quarantined: int
    models_quarantined: int
    counts: dict[str, int]
    histograms: dict[str, Histogram]
    running_of: dict[str, int]


@store_errors()
def look(redis: Redis) -> Figures:
    """Read the figures. Raises StoreUnavailable when Redis does not answer."""
    seconds = int(redis.time()[0])
    buckets = [key("ended", str(seconds // BUCKET_S - back)) for back in range(RATE_BUCKETS)]
    with redis.pipeline(transaction=False) as pipe:
        for state in JobState:
            pipe.zcard(key("state", state))
        for priority in PRIORITIES:
            pipe.zcard(key("groups", priority))
        for what in HISTOGRAMS:
            pipe.hgetall(key("histogram", what))
        for name in ("queued", "queued_us", "sums", "counts", "running_of"):
            pipe.hgetall(key(name))
        pipe.mget(buckets)
        for name in ("workers", "awake", "quarantine"):
            pipe.zcard(key(name))
        pipe.hlen(key("banned"))
        pipe.zrange(key("state", JobState.QUEUED), 0, 0)
        pipe.info("memory")
        answers: list[Any] = pipe.execute()
    take = iter(answers)
    jobs = {state: int(next(take)) for state in JobState}
    groups = {priority: int(next(take)) for priority in PRIORITIES}
    histograms = {what: _histogram(_numbers(next(take)), 1000 if what in TIMES else 1) for what in HISTOGRAMS}
    queued, queued_us, sums, counts, running_of = (_numbers(next(take)) for _ in range(5))
    ended = sum(int(count or 0) for count in next(take))
    workers, awake, quarantined, banned = (int(next(take)) for _ in range(4))
    oldest, memory = next(take), next(take)
    return Figures(
        jobs=jobs,
        lines={name: Line(queued.get(name, 0), queued_us.get(name, 0) / 1e6, groups[name]) for name in PRIORITIES},
        oldest_age_s=_age_s(redis, oldest, seconds),
        ended_per_s=ended / (RATE_BUCKETS * BUCKET_S),
        input_bytes=sums.get("input_bytes", 0),
        memory_bytes=int(memory["used_memory"]),
        workers=workers,
        awake=awake,
        quarantined=quarantined,
        models_quarantined=banned,
        counts=counts,
        histograms=histograms,
        running_of=running_of,
    )


def _numbers(fields: dict[bytes, bytes]) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in fields.items()}


def _histogram(fields: dict[str, int], unit: int) -> Histogram:
    buckets = {2.0 ** int(name) / unit: count for name, count in fields.items() if name != "sum"}
    return Histogram(dict(sorted(buckets.items())), fields.get("sum", 0) / unit)


def _age_s(redis: Redis, oldest: list[bytes], now_s: int) -> float | None:
    created: Any = redis.hget(key("job", oldest[0].decode()), "created") if oldest else None
    return None if created is None else max(0.0, now_s - int(created) / 1000)
