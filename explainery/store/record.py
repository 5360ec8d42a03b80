"""A job's record in Redis -> `Job` and `Claim`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from explainery.contract.job import Job, JobError, JobSpec, JobState, Progress, Quarantine

Record = Mapping[bytes, bytes]
"""The fields of a `job:<id>` hash; `scripts/prelude.lua` and `scripts/admit.lua` write them."""


@dataclass(frozen=True)
class Claim:
    """A job a worker holds until its lease ends. Only the newest `fence` may write.

    `losses`: workers that died with it before; such a job is worked on alone. `compute_s`: what it may take, as estimated.
    `inputs`: as they are stored, see `JobStore.unshelved`.
    """

    spec: JobSpec
    fence: int
    attempts: int
    losses: int
    created_ms: int
    deadline_ms: int | None
    inputs: bytes
    compute_s: float = 0.0


def read_job(record: Record) -> Job:
    """The job a record describes. A newer process may have written it: fields unknown here are left out."""
    spec = JobSpec.model_validate_json(record[b"spec"], extra="ignore")
    error = record.get(b"error")
    return Job(
        id=spec.id,
        status=read_state(record),
        model=spec.model,
        method=spec.method,
        method_requested=spec.method_requested,
        method_reason=spec.method_reason,
        rows=spec.rows,
        seed=spec.seed,
        decision_id=spec.decision_id,
        priority=spec.priority,
        progress=_progress(record),
        created_at=timestamp(int(record[b"created"])),
        started_at=_time(record, b"started"),
        finished_at=_time(record, b"finished"),
        deadline_at=_time(record, b"deadline"),
        cancel_at=_time(record, b"cancel_at"),
        attempts=int(record[b"attempts"]),
        tenant=spec.tenant,
        estimate=spec.estimate,
        refines=spec.refines,
        dedupe_of=_text(record, b"dedupe_of"),
        quarantine=_quarantine(record),
        error=JobError.model_validate_json(error) if error else None,
        revision=int(record[b"revision"]),
    )


def read_state(record: Record) -> JobState:
    """The state a record is in."""
    return JobState(record[b"state"].decode())


def read_claim(row: Sequence[Any]) -> Claim:
    """One row that `scripts/claim.lua` gives."""
    _, spec, fence, attempts, created, deadline, losses, cost_us, inputs = row
    return Claim(
        spec=JobSpec.model_validate_json(spec),
        fence=int(fence),
        attempts=int(attempts),
        losses=int(losses),
        created_ms=int(created),
        deadline_ms=int(deadline) if deadline else None,
        inputs=inputs,
        compute_s=int(cost_us) / 1e6,
    )


def timestamp(ms: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _time(record: Record, field: bytes) -> str | None:
    return timestamp(int(record[field])) if field in record else None


def _text(record: Record, field: bytes) -> str | None:
    return record[field].decode() if field in record else None


def _quarantine(record: Record) -> Quarantine | None:
    if b"quarantined" not in record:
        return None
    return Quarantine(
        since=timestamp(int(record[b"quarantined"])),
        losses=int(record[b"losses"]),
        last_exit=_text(record, b"last_exit"),
        last_chunk=_text(record, b"last_chunk"),
    )


def _progress(record: Record) -> Progress | None:
    if b"unit" not in record:
        return None
    unit: Any = record[b"unit"].decode()
    return Progress(done=int(record[b"done"]), total=int(record[b"total"]), unit=unit)
