"""Lists of jobs, newest first, page by page. A page starts below the last job of the one before, whatever came in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explainery.contract.errors import RequestRefused
from explainery.contract.job import Job, JobState
from explainery.store.keys import key
from explainery.store.record import read_job

if TYPE_CHECKING:
    from redis import Redis

CHUNK = 256
LOOKS = 20
"""Chunks of the smallest index looked at for one page; a rare combination gives a short page and a cursor, not a long wait."""


@dataclass(frozen=True)
class Page:
    """One page of jobs, newest first; `cursor` asks for the next one, None at the end."""

    jobs: list[Job]
    cursor: str | None


def page(
    redis: Redis,
    tenant: str,
    *,
    status: JobState | None,
    model: str | None,
    decision_id: str | None,
    cursor: str | None,
    limit: int,
) -> Page:
    """One page of a tenant's jobs that match. Raises RequestRefused for a cursor that no page gave."""
    filters = {"state": status, "model": model, "decision": decision_id}
    indexes = [key(kind, f"{tenant}:{name}") for kind, name in filters.items() if name is not None] or [key("jobs", tenant)]
    indexes.sort(key=redis.zcard)
    found, below = _matching(redis, indexes, _start(cursor), limit)
    jobs = _read(redis, [job_id for job_id, _ in found], indexes)
    return Page([job for job in jobs if status in (None, job.status)], None if below is None else f"{below:x}")


def _start(cursor: str | None) -> int | None:
    try:
        return None if cursor is None else int(cursor, 16)
    except ValueError:
        fault = {"loc": "cursor", "msg": "is not a cursor that a page gave"}
        raise RequestRefused("cursor is not one that a page gave; leave it out to start anew.", [fault]) from None


def _matching(redis: Redis, indexes: list[str], below: int | None, limit: int) -> tuple[list[tuple[str, int]], int | None]:
    """Up to `limit` ids with their order of admission, and the order to go on below (None at the end)."""
    found: list[tuple[str, int]] = []
    for _ in range(LOOKS):
        top = "+inf" if below is None else f"({below}"
        entries: Any = redis.zrevrangebyscore(indexes[0], top, "-inf", start=0, num=CHUNK, withscores=True)
        chunk = [(member.decode(), int(order)) for member, order in entries]
        found += _in_all(redis, indexes[1:], chunk)
        if len(found) > limit:
            return found[:limit], found[limit - 1][1]
        if len(chunk) < CHUNK:
            return found, None
        below = chunk[-1][1]
    return found, below


def _in_all(redis: Redis, indexes: list[str], chunk: list[tuple[str, int]]) -> list[tuple[str, int]]:
    for index in indexes:
        if chunk:
            scores = redis.zmscore(index, [job_id for job_id, _ in chunk])
            chunk = [entry for entry, score in zip(chunk, scores, strict=True) if score is not None]
    return chunk


def _read(redis: Redis, job_ids: list[str], indexes: list[str]) -> list[Job]:
    """The jobs; ids whose record expired before a reaper forgot it leave the indexes that still name them."""
    with redis.pipeline(transaction=False) as pipe:
        for job_id in job_ids:
            pipe.hgetall(key("job", job_id))
        records = dict(zip(job_ids, pipe.execute(), strict=True))
        for job_id in [job_id for job_id, record in records.items() if not record]:
            for index in indexes:
                pipe.zrem(index, job_id)
        pipe.execute()
    return [read_job(record) for record in records.values() if record]
