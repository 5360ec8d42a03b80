"""The ledger of jobs in Redis: admit, claim, renew, finish, cancel, reap, release, forget. Each is one atomic step in Lua.

Every step may be said twice (an answer can be lost on its way): the second time it changes nothing, or nothing that matters.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from explainery.contract.errors import (
    DeadlineExceeded,
    IdempotencyKeyReused,
    JobEnded,
    JobGone,
    JobNotFinished,
    JobNotFound,
    QueueFull,
    QuotaExceeded,
)
from explainery.contract.job import DEFAULT_TENANT, FORM, Job, JobError, JobSpec, JobState
from explainery.settings import Settings
from explainery.store import listing
from explainery.store.beside import Beside
from explainery.store.connection import store_errors
from explainery.store.headroom import Headroom
from explainery.store.keys import key
from explainery.store.listing import Page
from explainery.store.payloads import Payloads
from explainery.store.record import Claim, Record, read_claim, read_job
from explainery.store.scripting import BANNED, REAL_CLOCK, Step

if TYPE_CHECKING:
    from redis import Redis

__all__ = ["Admission", "Advance", "Claim", "Claimed", "JobStore", "Limits", "Once", "Page", "Quota", "Reaped"]

CLAIM_BYTES = 64 * 2**20
"""Most bytes of inputs one claim takes, so that a batch of large jobs does not fill a worker."""
REAP_LIMIT = 200
"""Most jobs of each kind one reap treats: Redis serves nobody else meanwhile."""
STEPS = ("admit", "claim", "renew", "finish", "cancel", "late", "forget", "release", "reap", "loaded", "note", "sweep")


@dataclass(frozen=True)
class Admission:
    """What became of a job at the door. `ring`: whom to call (see `Bell.ring`), None when somebody comes by himself.

    `dedupe_of`: the earlier job that asks the same, whose answer this one has or will have. `answered`: it has it already.
    `repeated`: the job that was admitted under this idempotency key before; then nothing has become of this one.
    """

    ring: str | None = None
    dedupe_of: str | None = None
    answered: bool = False
    repeated: str | None = None


@dataclass(frozen=True)
class Once:
    """An idempotency key of a tenant, and a fingerprint of what is asked under it, both as digests."""

    name: str
    fingerprint: str


@dataclass(frozen=True)
class Quota:
    """What a tenant may have: jobs that have not ended, bytes stored, seconds of compute a day. 0: any number."""

    jobs: int = 0
    bytes: int = 0
    compute_s: float = 0.0


ANY = Quota()
"""No bounds."""


@dataclass(frozen=True)
class Limits:
    """Most jobs, rows and estimated seconds of compute that a claim takes; at least one job, unless it is to join others."""

    jobs: int
    rows: int
    compute_s: float = 1e6


@dataclass(frozen=True)
class Claimed:
    """Jobs of one group that were claimed; no group when none was to be had."""

    group: str | None
    claims: list[Claim]


@dataclass(frozen=True)
class Sizes:
    """What a job was part of: the most jobs that a batch held with it, the most points that a chunk held with it."""

    batch_jobs: int
    chunk_points: int


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
    """What the reaper did: whom to ring, and how many jobs it brought back, failed, expired and forgot."""

    ring: list[str]
    requeued: int
    lost: int
    expired: int
    forgotten: int


class JobStore:
    """The ledger. Every method raises StoreUnavailable when Redis does not answer or refuses to write.

    `clock`: where the steps read the time (see `scripting.py`).
    """

    def __init__(self, redis: Redis, settings: Settings, clock: str = REAL_CLOCK) -> None:
        self._redis = redis
        self._store_s = 0.0
        self._settings = settings
        self._headroom = Headroom(redis)
        self._payloads = Payloads(settings)
        self.beside = Beside(redis, settings)
        self._steps = {name: Step(redis, settings, name, clock) for name in STEPS}

    # --- the API's side

    @store_errors()
    def admit(
        self,
        spec: JobSpec,
        inputs: bytes,
        *,
        fresh: bool = False,
        once: Once | None = None,
        cancel_after_s: float | None = None,
        quota: Quota = ANY,
        batch: str = "",
    ) -> Admission:
        """Enter a job into the line, or join it to one that asks the same unless it is to be computed afresh.

        `once`: when a job was admitted under this key, there is no other. `cancel_after_s`: when it is canceled if it has not
        ended. `quota`: of its tenant. `batch`: the one whose lines it answers.

        Raises QuotaExceeded, QueueFull past the bounds on what may wait and when Redis has used three quarters of the memory it
        may use, ModelQuarantined when workers kept dying of the model, IdempotencyKeyReused.
        """
        if self._headroom.exhausted():
            raise QueueFull("The queue's memory is nearly full; try again when jobs have finished.")
        deadline = "" if spec.deadline_s is None else max(1, round(spec.deadline_s * 1000))
        names = (spec.id, spec.group, spec.model.name, spec.decision_id or "", spec.rows, spec.priority, deadline)
        stored = self._payloads.shelve(inputs)
        facts = (len(inputs), spec.tenant, spec.method, spec.effort, spec.content or "", int(fresh))
        said_once = ("", "") if once is None else (once.name, once.fingerprint)
        cancel_ms = "" if cancel_after_s is None else max(1, round(cancel_after_s * 1000))
        bounds = (quota.jobs, quota.bytes, round(quota.compute_s * 1e6))
        verdict, *more = self._steps["admit"](
            *names, spec.model_dump_json(), stored, *facts, *said_once, cancel_ms, *bounds, batch
        )
        if verdict == b"queued":
            return Admission(ring=more[0].decode() or None)
        if verdict == b"full":
            raise QueueFull(f"{_FULL[more[0].decode()]}; try again later.", int(more[1]))
        if verdict == b"over":
            raise QuotaExceeded(_OVER[more[0].decode()], more[0].decode(), int(more[1]))
        if verdict == b"banned":
            raise BANNED
        if verdict == b"repeated":
            return Admission(repeated=more[0].decode())
        if verdict == b"reused":
            raise _reused()
        return Admission(dedupe_of=more[0].decode(), answered=verdict == b"answered")

    @store_errors()
    def admitted_under(self, once: Once) -> str | None:
        """The job that was admitted under this key. Raises IdempotencyKeyReused when that asked something else."""
        said: Any = self._redis.hmget(key("once", once.name), "job", "fingerprint")
        job_id, fingerprint = said
        if job_id is not None and fingerprint.decode() != once.fingerprint:
            raise _reused()
        return None if job_id is None else job_id.decode()

    @store_errors()
    def check_owner(self, job_id: str, tenant: str) -> None:
        """Raise JobNotFound unless the job is a tenant's own, JobGone when it was and has been forgotten.

        Everything that is asked for a tenant is asked behind this. Another's id costs what one costs that never was: two small
        fields are read, whatever there is.
        """
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.hget(key("job", job_id), "tenant")
            pipe.get(key("gone", job_id))
            owner, was = pipe.execute()
        if owner != tenant.encode():
            raise _missing(owner is None and was == f"@{tenant}".encode())

    @store_errors()
    def get(self, job_id: str) -> Job:
        """The job. Raises JobNotFound for an id that never was, JobGone for one that was forgotten.

        A job whose last moment is over ends by being looked at, should there be nobody else to end it.
        """
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(key("job", job_id))
            pipe.exists(key("gone", job_id))
            pipe.time()
            record, known, clock = pipe.execute()
        if not record or _outlived(record.get(b"forget_at"), clock):
            raise _missing(known)
        job = read_job(record)
        if not job.status.ended and _late(record, clock) and self._steps["late"](job_id) is not None:
            return self.get(job_id)
        return job

    @store_errors()
    def spec(self, job_id: str) -> JobSpec:
        """A job as it was admitted. Raises JobNotFound, JobGone."""
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.hget(key("job", job_id), "spec")
            pipe.exists(key("gone", job_id))
            spec, known = pipe.execute()
        if spec is None:
            raise _missing(known)
        return JobSpec.model_validate_json(spec, extra="ignore")

    @store_errors()
    def result(self, job_id: str) -> bytes:
        """The stored result, perhaps of the job whose answer this one shares (its header then names that job).

        Raises JobNotFound, JobGone, or JobNotFinished (whose `state` may be failed).
        """
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.get(key("result", job_id))
            pipe.hmget(key("job", job_id), "state", "result_of")
            pipe.exists(key("gone", job_id))
            result, (state, owner), known = pipe.execute()
        if owner is not None:
            shared: Any = self._redis.get(key("result", owner.decode()))
            result = shared
        if result is not None and state is not None:
            return self._payloads.fetch(bytes(result))
        if state is None or state == b"succeeded":
            raise _missing(known)
        raise JobNotFinished(_NO_RESULT[JobState(state.decode())], state.decode())

    @store_errors()
    def cancel(self, job_id: str) -> tuple[Job, str | None]:
        """Cancel a queued or running job at once (its fence rises, so a late result is refused); the job, and whom to ring.

        A job that asks the same and followed this one takes its place. Raises JobEnded.
        """
        answer = self._steps["cancel"](job_id)
        if answer is not None and (was := JobState(answer[0].decode())).ended:
            raise JobEnded(f"The job has {was} already; there is nothing to cancel.", was)
        return self.get(job_id), answer[1].decode() or None

    @store_errors()
    def forget(self, job_id: str) -> str | None:
        """Delete job, inputs and result, cancelling it if need be; the id answers 410 from now on. Gives whom to ring.

        Raises JobNotFound or JobGone when there is nothing to delete.
        """
        answer = self._steps["forget"](job_id)
        if answer is None:
            raise _missing(self._redis.exists(key("gone", job_id)))
        return answer.decode() or None

    @store_errors()
    def page(
        self,
        tenant: str = DEFAULT_TENANT,
        *,
        status: JobState | None,
        model: str | None,
        decision_id: str | None,
        cursor: str | None,
        limit: int,
    ) -> Page:
        """List a tenant's jobs, newest first. Raises RequestRefused for a cursor that no page gave."""
        wanted: dict[str, Any] = {"status": status, "model": model, "decision_id": decision_id}
        return listing.page(self._redis, tenant, **wanted, cursor=cursor, limit=limit)

    @store_errors()
    def waiting(self) -> int:
        """How many jobs wait."""
        return int(self._redis.zcard(key("state", JobState.QUEUED)))

    @store_errors()
    def inputs(self, job_id: str) -> bytes | None:
        """A job's inputs, as long as they are kept: those of the job whose answer it shares are the same."""
        found: Any = self._redis.hmget(key("job", job_id), "state", "result_of")
        state, owner = found
        if state is None:
            return None
        stored: Any = self._redis.get(key("inputs", job_id if owner is None else owner.decode()))
        return None if stored is None else self._payloads.fetch(bytes(stored))

    # --- the workers' side

    @store_errors()
    def claim(
        self, worker: str, limits: Limits, *, group: str = "", answered: str = "", joining: bool = False, long: bool = False
    ) -> Claimed:
        """Take jobs from the head of a group's line: of `group`, or of the one whose turn it is.

        `answered`: whom the bell was for that this claim answers. A job that lost a worker before is claimed alone. `joining`:
        the worker has other jobs in hand, so the limits are strict and such a job stays where it is. Jobs past their deadline
        become expired on the way. `long`: it has worked on this group for long, and takes nothing while others wait. Each claim
        raises the job's fence and sets its lease. A worker that does not join and gets nothing is known to sleep from then on,
        and is called by bells.
        """
        most = (limits.jobs, limits.rows, CLAIM_BYTES, round(limits.compute_s * 1e6))
        chosen, *rows = self._steps["claim"](worker, group, *most, answered, int(joining), FORM, int(long))
        return Claimed(chosen.decode() or None, [read_claim(row) for row in rows])

    def unshelved(self, claim: Claim) -> Claim:
        """The claim with its inputs, from wherever they are. Raises StoreUnavailable when they cannot be read."""
        return replace(claim, inputs=self._payloads.fetch(claim.inputs))

    @store_errors()
    def renew(self, worker: str, advances: list[Advance]) -> set[str]:
        """Extend leases and record progress; return the ids that are no longer this worker's (lost, canceled, expired)."""
        if not advances:
            return set()
        said: Iterator[str | int] = chain.from_iterable((a.id, a.fence, a.done, a.total, a.unit) for a in advances)
        return {job_id.decode() for job_id in self._steps["renew"](worker, *said)}

    @store_errors()
    def succeed(
        self,
        worker: str,
        job_id: str,
        fence: int,
        result: bytes,
        advance: Advance,
        compute_s: float,
        sizes: Sizes | None = None,
    ) -> bool:
        """Publish a result; False, and nothing written, unless `fence` is the newest and the job is running.

        True again, and nothing written, when the holder of the fence has published already. `compute_s`: the seconds of
        compute that were spent on it, from which the cost of the next such job is estimated. `sizes`: for the figures.
        """
        progress = (advance.done, advance.total, advance.unit, round(compute_s * 1e6))
        began = time.perf_counter()
        stored = self._payloads.shelve(result)
        told = (0, sizes.batch_jobs, sizes.chunk_points, round(self._store_s * 1e3), len(result)) if sizes else ()
        written = bool(self._steps["finish"](job_id, worker, fence, JobState.SUCCEEDED.value, "", stored, *progress, *told))
        self._store_s = time.perf_counter() - began
        return written

    @store_errors()
    def fail(self, worker: str, job_id: str, fence: int, error: JobError, after_s: float = 0.0) -> bool:
        """End a job as failed, as expired when the code is deadline_exceeded; False when the fence is stale.

        When the failure may pass by itself, and the job was not tried too often, it waits for another try instead, at least
        `after_s`.
        """
        state = JobState.EXPIRED if error.code == DeadlineExceeded.code else JobState.FAILED
        if error.retryable:
            state = JobState.QUEUED
        told = error.model_dump_json()
        after_ms = int(after_s * 1000)
        return bool(self._steps["finish"](job_id, worker, fence, state.value, told, "", "", "", "", "", after_ms))

    @store_errors()
    def release(self, worker: str, *, lost: bool, manner: str = "left", suspects: Sequence[str] = ()) -> list[str]:
        """Give back at once all a worker held; return whom to ring.

        `lost`: the worker died, in the `manner` that is noted, and each of its jobs counts a loss; a worker that leaves in
        peace counts none but against `suspects`.
        """
        return [whom.decode() for whom in self._steps["release"](worker, int(lost), manner, *suspects)]

    @store_errors()
    def reap(self, *, backlog: int) -> Reaped:
        """Put right what nobody else will, and say whom to ring.

        Jobs whose lease ran out go back to the line (to quarantine after `max_attempts` losses), jobs past their deadline
        expire, delays end, batch jobs that waited long become urgent, old ones are forgotten. `backlog`: messages the broker
        still holds; with none left, an unanswered bell is lost.
        """
        requeued, lost, expired, forgotten, *ring = self._steps["reap"](backlog, REAP_LIMIT)
        return Reaped([whom.decode() for whom in ring], requeued, lost, expired, forgotten)

    @store_errors()
    def loaded(self, group: str, seconds: float) -> None:
        """Note that a worker has loaded a group's model, and how long that took."""
        self._steps["loaded"](group, round(seconds * 1000))

    @store_errors()
    def note(self, job_id: str, fence: int, what: str) -> None:
        """Note what a worker is about to do with a job that workers have died of."""
        self._steps["note"](job_id, fence, what)

    @store_errors()
    def sweep(self) -> int:
        """Delete payloads that no job needs any more; return how many."""
        return self._payloads.sweep(lambda digests: [gone.decode() for gone in self._steps["sweep"](*digests)])


_FULL = {
    "jobs": "As many jobs wait as may wait",
    "bytes": "The inputs that wait are as large as they may be",
    "age": "The oldest job has waited longer than any should, so the workers do not keep up",
}
_OVER = {
    "jobs": "Your tenant has as many jobs that have not ended as it may have; wait for some, or cancel them.",
    "bytes": "Your tenant has stored as many bytes as it may; delete jobs it does not need, or wait until they expire.",
    "compute": "Your tenant has spent the seconds of compute that it may spend in a day, its open jobs counted as estimated.",
}
_NO_RESULT = {
    JobState.QUEUED: "The job is waiting for a worker; ask again later.",
    JobState.RUNNING: "The job is being worked on; ask again later.",
    JobState.FAILED: "The job failed, so there is no result; its error says why.",
    JobState.CANCELED: "The job was canceled, so there is no result.",
    JobState.EXPIRED: "The job's deadline passed, so there is no result.",
}


def _reused() -> IdempotencyKeyReused:
    return IdempotencyKeyReused(
        "This Idempotency-Key was used for another request; take a new key for each request, the same one only to repeat it."
    )


def _missing(known: object) -> JobGone | JobNotFound:
    """What to raise for an id without a record; `known`: whether there is a tombstone."""
    if known:
        return JobGone("The job existed, but was deleted or has expired.")
    return JobNotFound("There has never been a job of this id.")


def _outlived(forget_at: bytes | None, clock: tuple[int, int]) -> bool:
    """Whether an ended job's time is over though no reaper has come by yet. `clock`: Redis's seconds and microseconds."""
    return forget_at is not None and int(forget_at) <= clock[0] * 1000


def _late(record: Record, clock: tuple[int, int]) -> bool:
    """Whether the client's time for a job is over (a deadline is the reaper's business)."""
    cancel_at = record.get(b"cancel_at")
    return cancel_at is not None and int(cancel_at) <= clock[0] * 1000 + clock[1] // 1000
