"""The ledger of jobs in Redis: admit, claim, renew, finish, cancel, reap, release, forget. Each is one atomic step in Lua.

Every step may be said twice (an answer can be lost on its way): the second time it changes nothing, or nothing that matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from explainery.contract.errors import DeadlineExceeded, JobEnded, JobGone, JobNotFinished, JobNotFound, QueueFull
from explainery.contract.job import Job, JobError, JobSpec, JobState
from explainery.settings import Settings
from explainery.store import listing
from explainery.store.connection import store_errors
from explainery.store.headroom import Headroom
from explainery.store.keys import key
from explainery.store.listing import Page
from explainery.store.record import Claim, read_claim, read_job
from explainery.store.scripting import Step

if TYPE_CHECKING:
    from redis import Redis

__all__ = ["Advance", "Claim", "JobStore", "Page", "Reaped"]

CLAIM_BYTES = 64 * 2**20
"""Most bytes of inputs one claim takes, so that a batch of large jobs does not fill a worker."""
REAP_LIMIT = 200
"""Most jobs of each kind one reap treats: Redis serves nobody else meanwhile."""


@dataclass(frozen=True)
class Advance:
    """What a heartbeat reports of one claim."""

    id: str
    fence: int
    done: int
    total: int
    unit: str


@dataclass(frozen=True)
class Reaped:
    """What the reaper did: groups that need a bell, and how many jobs it brought back, failed, expired and forgot."""

    ring: list[str]
    requeued: int
    lost: int
    expired: int
    forgotten: int


class JobStore:
    """The ledger. Every method raises StoreUnavailable when Redis does not answer or refuses to write."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._settings = settings
        self._headroom = Headroom(redis)
        names = ("admit", "claim", "renew", "finish", "cancel", "forget", "release", "reap")
        self._steps = {name: Step(redis, settings, name) for name in names}

    # --- the API's side

    @store_errors()
    def admit(self, spec: JobSpec, inputs: bytes) -> bool:
        """Enter a job into the line; say whether its group needs a bell.

        Raises QueueFull past `max_waiting`, and when Redis has used three quarters of the memory it may use.
        """
        if self._headroom.exhausted():
            raise QueueFull("The queue's memory is nearly full; try again when jobs have finished.")
        place = "0" if spec.priority == "interactive" else "1"
        deadline = "" if spec.deadline_s is None else str(max(1, round(spec.deadline_s * 1000)))
        names = (spec.id, spec.group, spec.model.name, spec.decision_id or "")
        limit = self._settings.max_waiting
        answer = self._steps["admit"](*names, spec.rows, place, deadline, spec.model_dump_json(), inputs, limit)
        if answer < 0:
            raise QueueFull(f"{limit} jobs are waiting already, as many as may wait; try again when some have finished.")
        return bool(answer)

    @store_errors()
    def get(self, job_id: str) -> Job:
        """The job. Raises JobNotFound for an id that never was, JobGone for one that was forgotten."""
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(key("job", job_id))
            pipe.exists(key("gone", job_id))
            pipe.time()
            record, known, clock = pipe.execute()
        if not record or _outlived(record.get(b"forget_at"), clock):
            raise _missing(known)
        return read_job(record)

    @store_errors()
    def result(self, job_id: str) -> bytes:
        """The stored result. Raises JobNotFound, JobGone, or JobNotFinished (whose `state` may be failed)."""
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.get(key("result", job_id))
            pipe.hget(key("job", job_id), "state")
            pipe.exists(key("gone", job_id))
            result, state, known = pipe.execute()
        if result is not None:
            return bytes(result)
        if state is None or state == b"succeeded":
            raise _missing(known)
        raise JobNotFinished(_NO_RESULT[JobState(state.decode())], state.decode())

    @store_errors()
    def cancel(self, job_id: str) -> Job:
        """Cancel a queued or running job at once (its fence rises, so a late result is refused). Raises JobEnded."""
        state = self._steps["cancel"](job_id)
        if state is not None and (was := JobState(state.decode())).ended:
            raise JobEnded(f"The job has {was} already; there is nothing to cancel.", was)
        return self.get(job_id)

    @store_errors()
    def forget(self, job_id: str) -> None:
        """Delete job, inputs and result, cancelling it if need be; the id answers 410 from now on.

        Raises JobNotFound or JobGone when there is nothing to delete.
        """
        if not self._steps["forget"](job_id):
            raise _missing(self._redis.exists(key("gone", job_id)))

    @store_errors()
    def page(
        self, *, status: JobState | None, model: str | None, decision_id: str | None, cursor: str | None, limit: int
    ) -> Page:
        """List jobs, newest first. Raises RequestRefused for a cursor that no page gave."""
        return listing.page(self._redis, status=status, model=model, decision_id=decision_id, cursor=cursor, limit=limit)

    @store_errors()
    def waiting(self) -> int:
        """How many jobs wait."""
        return int(self._redis.zcard(key("state", JobState.QUEUED)))

    @store_errors()
    def counts(self) -> dict[JobState, int]:
        """How many jobs are in each state."""
        with self._redis.pipeline(transaction=False) as pipe:
            for state in JobState:
                pipe.zcard(key("state", state))
            return dict(zip(JobState, pipe.execute(), strict=True))

    # --- the workers' side

    @store_errors()
    def claim(
        self, group: str, worker: str, max_jobs: int, max_rows: int, *, answered: bool = False, joining: bool = False
    ) -> list[Claim]:
        """Take jobs from the head of a group's line, at most `max_jobs` and about `max_rows` rows (always at least one job).

        `answered`: this claim answers a bell. A job that lost a worker before is claimed alone. `joining`: the worker has other
        jobs in hand, so the limits are strict and such a job stays where it is. Jobs past their deadline become expired on the
        way. Each claim raises the job's fence and sets its lease. Come back until nothing is given:
        bells call idle workers only.
        """
        rows = self._steps["claim"](group, worker, max_jobs, max_rows, CLAIM_BYTES, int(answered), int(joining))
        return [read_claim(row) for row in rows]

    @store_errors()
    def renew(self, worker: str, advances: list[Advance]) -> set[str]:
        """Extend leases and record progress; return the ids that are no longer this worker's (lost, canceled, expired)."""
        if not advances:
            return set()
        said: Iterator[str | int] = chain.from_iterable((a.id, a.fence, a.done, a.total, a.unit) for a in advances)
        return {job_id.decode() for job_id in self._steps["renew"](worker, *said)}

    @store_errors()
    def succeed(self, worker: str, job_id: str, fence: int, result: bytes, advance: Advance) -> bool:
        """Publish a result; False, and nothing written, unless `fence` is the newest and the job is running.

        True again, and nothing written, when the holder of the fence has published already.
        """
        progress = (advance.done, advance.total, advance.unit)
        return bool(self._steps["finish"](job_id, worker, fence, JobState.SUCCEEDED.value, "", result, *progress))

    @store_errors()
    def fail(self, worker: str, job_id: str, fence: int, error: JobError) -> bool:
        """End a job as failed (as expired when the code is deadline_exceeded); False when the fence is stale."""
        state = JobState.EXPIRED if error.code == DeadlineExceeded.code else JobState.FAILED
        return bool(self._steps["finish"](job_id, worker, fence, state.value, error.model_dump_json(), "", "", "", ""))

    @store_errors()
    def release(self, worker: str, *, lost: bool) -> list[str]:
        """Give back at once all a worker held; return the groups to ring a bell for.

        `lost`: the worker died, and each of its jobs counts a loss; a worker that leaves in peace counts none.
        """
        return [group.decode() for group in self._steps["release"](worker, int(lost))]

    @store_errors()
    def reap(self, *, backlog: int) -> Reaped:
        """Put right what nobody else will, and name the groups to ring a bell for.

        Jobs whose lease ran out go back to the line (failed with worker_lost after `max_attempts` losses), jobs past their
        deadline expire, old ones are forgotten. `backlog`: messages the broker still holds; with none left, an unanswered
        bell is lost.
        """
        requeued, lost, expired, forgotten, *ring = self._steps["reap"](backlog, REAP_LIMIT)
        return Reaped([group.decode() for group in ring], requeued, lost, expired, forgotten)


_NO_RESULT = {
    JobState.QUEUED: "The job is waiting for a worker; ask again later.",
    JobState.RUNNING: "The job is being worked on; ask again later.",
    JobState.FAILED: "The job failed, so there is no result; its error says why.",
    JobState.CANCELED: "The job was canceled, so there is no result.",
    JobState.EXPIRED: "The job's deadline passed, so there is no result.",
}


def _missing(known: object) -> JobGone | JobNotFound:
    """What to raise for an id without a record; `known`: whether there is a tombstone."""
    if known:
        return JobGone("The job existed, but was deleted or has expired.")
    return JobNotFound("There has never been a job of this id.")


def _outlived(forget_at: bytes | None, clock: tuple[int, int]) -> bool:
    """Whether an ended job's time is over though no reaper has come by yet. `clock`: Redis's seconds and microseconds."""
    return forget_at is not None and int(forget_at) <= clock[0] * 1000
