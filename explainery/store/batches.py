"""Batches in Redis: made and looked at by the API, driven by a coordinator that holds a lease.

How far a batch is stands in its record: the place in the input behind the last chunk that was planned, the chunks that are
being worked on, and the parts of its output files that count. A part that is not noted there is nobody's: so a coordinator may
die between writing and noting, and no line is lost or answered twice.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explainery.contract.batches import ENDED, Batch, BatchFaults, BatchRequest, Counts
from explainery.contract.errors import (
    BatchEnded,
    BatchNotFound,
    FileNotFound,
    IdempotencyKeyReused,
)
from explainery.settings import Settings
from explainery.store.connection import store_errors
from explainery.store.ids import new_job_id
from explainery.store.jobs import Once
from explainery.store.keys import key
from explainery.store.pages import page_of
from explainery.store.scripting import Step

if TYPE_CHECKING:
    from redis import Redis

STEPS = ("open_batch", "take_batch", "note_batch", "stop_batch", "end_batch")
TIMES = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")


class LeaseLost(Exception):
    """Another coordinator has the batch now."""


@dataclass(frozen=True)
class Lease:
    """A batch that a coordinator drives. `fence`: rises with each that takes it."""

    batch: str
    fence: int
    tenant: str = ""


@dataclass(frozen=True)
class Part:
    """A part of a file that has been written."""

    file: str
    name: str
    bytes: int


@dataclass(frozen=True)
class Progress:
    """What a coordinator needs to know to go on. `position`: in the input, behind the last chunk that was planned.

    `line`: the number of the next line, from 0; `next` and `head`: the numbers of the next chunk to be planned and of the first
    that is not done; `summary`: the part in which the sums over all lines so far lie; `spent`: jobs whose answers are written,
    of the last chunk that is done, and which may not have been forgotten yet; `given_up`: whether a line was.
    """

    id: str
    tenant: str
    asked: BatchRequest
    status: str
    input: str
    expires_s: float
    total: int
    position: int
    line: int
    next: int
    head: int
    summary: str
    spent: tuple[str, ...]
    given_up: bool
    kept_s: int

    @property
    def output(self) -> str:
        """The file that answers go to."""
        return f"file-{self.id.removeprefix('batch_')}-output"

    @property
    def error(self) -> str:
        """The file that faults go to."""
        return f"file-{self.id.removeprefix('batch_')}-error"


class BatchStore:
    """Every method raises StoreUnavailable when Redis does not answer."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._lease_ms = round(settings.lease_s * 1000)
        self._kept_s = settings.file_ttl_s
        self._steps = {name: Step(redis, settings, name) for name in STEPS}

    # --- the API's side

    @store_errors()
    def open(self, tenant: str, asked: BatchRequest, window_s: float, once: Once | None) -> Batch:
        """Make a batch. Raises FileNotFound for an input that is not there, IdempotencyKeyReused."""
        batch = f"batch_{new_job_id()}"
        names = ("", "") if once is None else (once.name, once.fingerprint)
        said = self._steps["open_batch"](
            batch, tenant, asked.input_file_id, asked.model_dump_json(), round(window_s * 1000), *names
        ).decode()
        if said == "no file":
            raise FileNotFound("There is no file of that id to read; upload one with purpose=batch.")
        if said == "reused":
            raise _reused()
        return self.get(tenant, batch if said == "made" else said)

    @store_errors()
    def opened_under(self, tenant: str, once: Once) -> Batch | None:
        """The batch that was made under a key. Raises IdempotencyKeyReused when that asked something else, BatchNotFound."""
        known: Any = self._redis.get(key("batch_once", once.name))
        if known is None:
            return None
        batch, fingerprint = known.decode().split(" ")
        if fingerprint != once.fingerprint:
            raise _reused()
        return self.get(tenant, batch)

    @store_errors()
    def get(self, tenant: str, batch: str) -> Batch:
        """One of a tenant's batches. Raises BatchNotFound."""
        record: Any = self._redis.hgetall(key("batch", batch))
        if not record or record[b"tenant"].decode() != tenant:
            raise BatchNotFound("There is no batch of that id, or no longer.")
        return _object(batch, record)

    @store_errors()
    def page(self, tenant: str, *, after: str | None, limit: int) -> tuple[list[Batch], bool]:
        """A tenant's batches, newest first, and whether there are more. Raises RequestRefused for an `after` that is none."""
        index = key("batches", tenant)
        self._redis.zremrangebyscore(index, "-inf", (time.time() - 400 * 86400 - self._kept_s) * 1000)

        def read(batch: str) -> Batch | None:
            record: Any = self._redis.hgetall(key("batch", batch))
            return _object(batch, record) if record else None

        return page_of(self._redis, index, after, limit, read)

    @store_errors()
    def cancel(self, tenant: str, batch: str) -> Batch:
        """Tell a batch to stop. Raises BatchNotFound, BatchEnded."""
        self.get(tenant, batch)
        was = self._steps["stop_batch"](batch)
        if was is None or was.decode() in ENDED:
            raise BatchEnded("The batch has ended already; there is nothing to cancel.")
        return self.get(tenant, batch)

    # --- the coordinator's side

    @store_errors()
    def take(self, coordinator: str, left_out: Sequence[str] = ()) -> Lease | None:
        """A batch that nobody drives, of none of the tenants that are left out."""
        taken = self._steps["take_batch"](coordinator, self._lease_ms, *left_out)
        return None if taken is None else Lease(taken[0].decode(), int(taken[1]), taken[2].decode())

    @store_errors()
    def progress(self, batch: str) -> Progress:
        """How far a batch is. Raises BatchNotFound."""
        record: Any = self._redis.hgetall(key("batch", batch))
        if not record:
            raise BatchNotFound("There is no batch of that id, or no longer.")
        asked = BatchRequest.model_validate_json(record[b"asked"])
        kept = asked.output_expires_after
        return Progress(
            id=batch,
            tenant=record[b"tenant"].decode(),
            asked=asked,
            status=record[b"status"].decode(),
            input=record[b"input"].decode(),
            expires_s=int(record[b"expires"]) / 1000,
            summary=record.get(b"summary", b"").decode(),
            spent=tuple(record.get(b"spent", b"").decode().split()),
            given_up=b"given_up" in record,
            kept_s=self._kept_s if kept is None else kept.seconds,
            **{name: int(record[name.encode()]) for name in ("total", "position", "line", "next", "head")},
        )

    @store_errors()
    def chunks(self, batch: str) -> dict[int, Any]:
        """The plans of the chunks that are being worked on, by their numbers."""
        found: Any = self._redis.hgetall(key("chunks", batch))
        return {int(number): json.loads(plan) for number, plan in found.items()}

    def keep(self, lease: Lease, **fields: str | int) -> str:
        """Keep a batch a while longer, and note fields; its status. Raises LeaseLost."""
        return self._note(lease, fields=fields)

    def leave(self, lease: Lease) -> None:
        """Let another coordinator have a batch, at once. Raises LeaseLost."""
        self._note(lease, fields={}, lease_ms=0)

    def plan(self, lease: Lease, number: int, plan: Any, **fields: str | int) -> str:
        """Note what is to become of a chunk. Raises LeaseLost."""
        return self._note(lease, planned=(number, json.dumps(plan, separators=(",", ":"))), fields=fields)

    def commit(self, lease: Lease, number: int, parts: Sequence[Part], completed: int, failed: int, **fields: str | int) -> str:
        """Note that a chunk is done, and where its answers are. Raises LeaseLost."""
        return self._note(lease, done=str(number), counts=(completed, failed), parts=parts, fields=fields)

    @store_errors()
    def end(self, lease: Lease, progress: Progress, status: str, errors: BatchFaults | None = None) -> None:
        """End a batch and show its files. Raises LeaseLost."""
        told = "" if errors is None else errors.model_dump_json()
        files = [
            ("output", progress.output, f"{lease.batch}_output.jsonl"),
            ("error", progress.error, f"{lease.batch}_error.jsonl"),
        ]
        flat = [text for file in files for text in file]
        if not self._steps["end_batch"](lease.batch, lease.fence, status, progress.kept_s * 1000, told, *flat):
            raise LeaseLost

    @store_errors()
    def _note(
        self,
        lease: Lease,
        *,
        done: str = "",
        planned: tuple[int, str] | None = None,
        counts: tuple[int, int] = (0, 0),
        parts: Sequence[Part] = (),
        fields: Mapping[str, str | int],
        lease_ms: int | None = None,
    ) -> str:
        keep_ms = self._lease_ms if lease_ms is None else lease_ms
        plan = ("", "") if planned is None else planned
        named = [text for part in parts for text in (part.file, f"{part.name} {part.bytes}")]
        pairs = [text for pair in fields.items() for text in pair]
        said = self._steps["note_batch"](
            lease.batch, lease.fence, keep_ms, done, *plan, *counts, *named, *[""] * (4 - len(named)), *pairs
        )
        if said is None:
            raise LeaseLost
        return str(said.decode())


def _reused() -> IdempotencyKeyReused:
    return IdempotencyKeyReused("This Idempotency-Key was used for another request; take a new key for each request.")


def _object(batch: str, record: Mapping[bytes, bytes]) -> Batch:
    asked = BatchRequest.model_validate_json(record[b"asked"])
    status: Any = record[b"status"].decode()
    errors = record.get(b"errors")
    times: dict[str, Any] = {f"{name}_at": _seconds(record, f"{name}_ms".encode()) for name in TIMES}
    return Batch(
        id=batch,
        endpoint=asked.endpoint,
        errors=None if errors is None else BatchFaults.model_validate_json(errors),
        input_file_id=asked.input_file_id,
        completion_window=asked.completion_window,
        status=status,
        output_file_id=_text(record, b"output"),
        error_file_id=_text(record, b"error"),
        created_at=_seconds(record, b"created") or 0,
        expires_at=_seconds(record, b"expires") or 0,
        request_counts=Counts(**{name: int(record[name.encode()]) for name in ("total", "completed", "failed")}),
        metadata=asked.metadata,
        tenant=record[b"tenant"].decode(),
        **times,
    )


def _text(record: Mapping[bytes, bytes], field: bytes) -> str | None:
    return record[field].decode() if field in record else None


def _seconds(record: Mapping[bytes, bytes], field: bytes) -> int | None:
    return int(record[field]) // 1000 if field in record else None
