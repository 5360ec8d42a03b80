"""One batch under way: each `step` does a little of what there is to do, and waits for nothing.

A chunk's jobs are noted before they are admitted, and its answers are written before they are noted. So whoever takes the batch
over knows every job that may be about, admits those anew that are not there, and writes those answers again that do not count.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from explainery.contract.batches import BatchFault, BatchFaults
from explainery.contract.errors import ExplaineryError, FileNotFound, JobEnded, JobGone, JobNotFinished, JobNotFound
from explainery.contract.job import Job, JobState
from explainery.contract.tensors import unpack, unpack_result
from explainery.store.batches import BatchStore, Lease, Part, Progress
from explainery.store.bell import Bell
from explainery.store.files import FileStore
from explainery.store.jobs import ANY, JobStore
from service.batches.checking import check
from service.batches.chunk import Chunk
from service.batches.lines import Line, Reader, UnusableInput
from service.batches.planning import PASSING, Desk, Planned, plan, problem_body, problem_of
from service.batches.summary import Summary
from service.batches.writing import answered, refused

CHUNK_ROWS = 4096
CHUNK_BYTES = 4 * 2**20
"""A chunk ends with the line that passes one of these, or the setting `chunk_lines`."""
AHEAD = 4
"""Chunks that are worked on at once."""
PAUSE_S = (0.5, 5.0)
"""How long it waits when a job was not let in, and how long at most when it was told how long."""
FAILURES = {"deadline_exceeded": 504, "time_limit_exceeded": 504, "input_undecodable": 422, "cancel_after_passed": 409}
"""Status of a job's failure, where it is not 500."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tools:
    """What drives work with. `desk`: of a tenant, with what is on offer now; `reader`: of a batch's input."""

    batches: BatchStore
    files: FileStore
    jobs: JobStore
    bell: Bell
    desk: Callable[[str], Desk]
    reader: Callable[[Progress], Reader]
    keep_s: float
    chunk_lines: int


class Drive:
    """A batch, as long as its lease is ours: every step raises LeaseLost when it is not, and StoreUnavailable."""

    def __init__(self, tools: Tools, lease: Lease) -> None:
        self._tools = tools
        self.lease = lease
        self._at = tools.batches.progress(lease.batch)
        self._status = self._at.status
        self._chunks = [Chunk.of(number, plan) for number, plan in sorted(tools.batches.chunks(lease.batch).items())]
        self._position, self._line, self._next = self._at.position, self._at.line, self._at.next
        self._reader: Reader | None = None
        self._checking: Generator[int | BatchFault, None, None] | None = None
        self._summary: Summary | None = None
        self._summary_part = self._at.summary
        self._ended: set[str] = set()
        self._kept_at = time.monotonic()
        self._left_lines = self._at.given_up
        self._full_until = 0.0
        self.over = False
        self._forget(self._at.spent)

    def step(self) -> bool:
        """Do what can be done now; whether that was anything."""
        self._keep()
        if self._at.total == 0 and self._status in ("validating", "cancelling"):
            return self._check()
        self._close_when_late()
        moved = self._plan()
        while self._chunks and self._settle(self._chunks[0]) and self._commit(self._chunks[0]):
            del self._chunks[0]
            moved = True
        if not self._chunks and self._line >= self._at.total:
            self._finish()
            moved = True
        return moved

    def fail(self, code: str, message: str) -> None:
        """Give the batch up: what it needs is not there, or we break on it. Its jobs are forgotten. Raises LeaseLost."""
        self._end("failed", BatchFaults(data=[BatchFault(code=code, message=message)]))
        for chunk in self._chunks:
            self._forget(chunk.jobs)

    # --- before it begins

    def _check(self) -> bool:
        """Read some of the input for the first time."""
        if self._checking is None:
            self._checking = self._checked()
        found = next(self._checking, None)
        if isinstance(found, BatchFault):
            self._checking.close()  # the file it reads, and the names it knows
            self._end("failed", BatchFaults(data=[found]))
        elif found is None:
            self._begin()
        else:
            self._counted = found
        return True

    def _checked(self) -> Generator[int | BatchFault, None, None]:
        self._counted = 0
        try:
            reader = self._read_by()
            with self._tools.files.bytes.reading(self._at.input) as stream:
                yield from check(reader, stream)
        except UnusableInput as fault:
            yield BatchFault(code=fault.code, message=str(fault), param=fault.param)
        except FileNotFound as error:
            yield BatchFault(code="input_file_missing", message=error.detail, param="input_file_id")
        except ExplaineryError as error:
            if isinstance(error, PASSING):
                self._checking = None
                raise
            yield BatchFault(code=error.code, message=error.detail, param="request")

    def _begin(self) -> None:
        total = self._counted
        now = round(time.time() * 1000)
        self._status = self._tools.batches.keep(self.lease, total=total, status="in_progress", in_progress_ms=now)
        self._at = self._tools.batches.progress(self.lease.batch)
        self._checking = None

    # --- the way there

    def _keep(self) -> None:
        if time.monotonic() - self._kept_at > self._tools.keep_s:
            self._kept_at = time.monotonic()
            self._status = self._tools.batches.keep(self.lease)

    @property
    def _given_up(self) -> str | None:
        """Why nothing more is asked: a code of `writing.GIVEN_UP`."""
        if self._status == "cancelling":
            return "batch_cancelled"
        return "batch_expired" if time.time() >= self._at.expires_s else None

    @property
    def _waits(self) -> bool:
        """Whether jobs were not let in just now. A batch that is given up asks for none."""
        return time.monotonic() < self._full_until and self._given_up is None

    def _close_when_late(self) -> None:
        """Cancel what is under way when the batch is given up."""
        if (why := self._given_up) is None:
            return
        for chunk in self._chunks:
            for job_id in [each for each in chunk.jobs if each not in self._ended]:
                self._give_up(chunk, job_id, why)

    def _give_up(self, chunk: Chunk, job_id: str, why: str) -> None:
        """Cancel a job. One that has its answer keeps it; one that ended otherwise says so itself."""
        try:
            _, ring = self._tools.jobs.cancel(job_id)
            self._tools.bell.ring(ring)
        except JobEnded as error:
            if error.state == JobState.SUCCEEDED:
                self._ended.add(job_id)
                return
            with contextlib.suppress(JobNotFound, JobGone):
                self._failed(chunk, self._tools.jobs.get(job_id))
                return
        except (JobNotFound, JobGone):
            pass
        chunk.refuse(job_id, why)

    def _plan(self) -> bool:
        """Take the next lines in hand, as long as few are."""
        moved = False
        while len(self._chunks) < AHEAD and self._line < self._at.total and not self._waits:
            lines, position = self._next_lines()
            chunk = Chunk(self._next, self._position, self._line, len(lines), lines=lines)
            planned = self._planned(list(enumerate(lines)))
            chunk.take(planned)
            self._note(chunk, position=position, line=self._line + len(lines), next=self._next + 1)
            self._position, self._line, self._next = position, self._line + len(lines), self._next + 1
            self._chunks.append(chunk)
            self._admit(chunk, planned)
            moved = True
        return moved

    def _planned(self, lines: list[tuple[int, Line]]) -> Planned:
        if (why := self._given_up) is not None:
            return Planned([], {number: why for number, _ in lines})
        return plan(lines, self._tools.desk(self._at.tenant))

    def _note(self, chunk: Chunk, **fields: int) -> None:
        self._status = self._tools.batches.plan(self.lease, chunk.number, chunk.plan(), **fields)

    def _admit(self, chunk: Chunk, planned: Planned) -> None:
        """Hand jobs in. What is not let in now is not there when it is looked at, and is tried again then, after a while."""
        quota = self._tools.desk(self._at.tenant).quota if planned.jobs else ANY
        for job in planned.jobs:
            try:
                admission = self._tools.jobs.admit(job.spec, job.inputs, fresh=True, quota=quota, batch=self.lease.batch)
            except PASSING as error:
                log.info("batch=%s not_let_in=%s", self.lease.batch, error.code)
                self._full_until = time.monotonic() + min(getattr(error, "retry_after_s", PAUSE_S[0]), PAUSE_S[1])
                return
            except ExplaineryError as error:
                chunk.refuse(job.spec.id, problem_of(error))
                self._note(chunk)
                continue
            self._tools.bell.ring(admission.ring)

    def _settle(self, chunk: Chunk) -> bool:
        """Whether every line of a chunk has what it is answered; what went astray is asked again."""
        pending = False
        for job_id in list(chunk.jobs):
            if job_id in self._ended:
                continue
            try:
                job = self._tools.jobs.get(job_id)
            except (JobNotFound, JobGone):
                pending = True
                if not self._waits:
                    self._again(chunk, job_id, parts=1)
                continue
            if job.status is JobState.SUCCEEDED:
                self._ended.add(job_id)
            elif job.status.ended:
                pending |= self._failed(chunk, job)
            else:
                pending = True
        return not pending

    def _failed(self, chunk: Chunk, job: Job) -> bool:
        """A job failed: of many lines one may be the cause, so they are asked again in two halves. Whether they are."""
        if len(chunk.jobs[job.id]) > 1 and job.status is not JobState.EXPIRED and self._given_up is None:
            self._again(chunk, job.id, parts=2)
            return True
        canceled = job.status is JobState.CANCELED
        chunk.refuse(job.id, self._given_up if canceled and self._given_up is not None else _failure(job))
        return False

    def _again(self, chunk: Chunk, job_id: str, parts: int) -> None:
        members = [line for line, _ in chunk.jobs[job_id]]
        lines = self._lines(chunk)
        half = -(-len(members) // parts)
        planned = Planned()
        for begin in range(0, len(members), half):
            some = self._planned([(line, lines[line]) for line in members[begin : begin + half]])
            planned.jobs.extend(some.jobs)
            planned.refused.update(some.refused)
        del chunk.jobs[job_id]
        chunk.take(planned)
        self._note(chunk)
        self._admit(chunk, planned)

    # --- answers

    def _commit(self, chunk: Chunk) -> bool:
        """Write a chunk's answers, then note them; the jobs are not needed any more. False when one of them has vanished."""
        try:
            self._write(chunk)
        except (JobGone, JobNotFound, JobNotFinished):
            self._ended.difference_update(chunk.jobs)  # they are looked at again, and asked again
            return False
        return True

    def _write(self, chunk: Chunk) -> None:
        tools, suffix = self._tools, f"{chunk.number:08d}-{self.lease.fence}"
        ids = [line.custom_id for line in self._lines(chunk)]
        summary = self._summed()
        parts: list[Part] = []
        if chunk.jobs:
            with tools.files.bytes.writing(self._at.output, suffix) as out:
                size = sum(out.write(line) for job_id in chunk.jobs for line in self._answers(chunk, job_id, ids, summary))
            parts.append(Part(self._at.output, suffix, size))
        if chunk.refused:
            with tools.files.bytes.writing(self._at.error, suffix) as out:
                size = sum(out.write(line) for line in refused(self.lease.batch, chunk.first, ids, chunk.refused))
            parts.append(Part(self._at.error, suffix, size))
        fields = {"spent": " ".join(chunk.jobs)}
        if any(isinstance(fault, str) for fault in chunk.refused.values()):
            fields["given_up"], self._left_lines = "1", True
        if chunk.jobs:
            fields["summary"] = f"summary-{suffix}"
            with tools.files.bytes.writing(self._at.output, fields["summary"]) as out:
                out.write(summary.dump())
        failed = len(chunk.refused)
        if failed + sum(map(len, chunk.jobs.values())) != chunk.count:
            raise RuntimeError("lines went astray")  # never: a batch must rather fail than leave one unanswered
        self._status = tools.batches.commit(self.lease, chunk.number, parts, chunk.count - failed, failed, **fields)
        self._tidy(chunk, fields.get("summary"))

    def _answers(self, chunk: Chunk, job_id: str, ids: list[str], summary: Summary) -> Iterator[bytes]:
        blob = self._tools.jobs.result(job_id)
        members = chunk.jobs[job_id]
        result, arrays = unpack_result(blob)
        sent = self._tools.jobs.inputs(job_id)
        names = [ids[line] if count == 1 else f"{ids[line]}\n{row}" for line, count in members for row in range(count)]
        summary.add(result, arrays, {} if sent is None else unpack(sent), names)
        yield from answered(self.lease.batch, chunk.first, ids, members, blob)

    def _summed(self) -> Summary:
        """The sums so far. A commit that breaks off leaves them counted twice in memory: they are loaded anew each time."""
        if not self._summary_part:
            return Summary()
        with self._tools.files.bytes.reading(self._at.output, self._summary_part) as stream:
            return Summary.load(stream.read())

    def _tidy(self, chunk: Chunk, summary: str | None) -> None:
        if summary is not None:
            if self._summary_part:
                self._tools.files.bytes.drop(self._at.output, self._summary_part)
            self._summary_part = summary
        self._ended.difference_update(chunk.jobs)
        self._forget(chunk.jobs)

    def _forget(self, jobs: Iterable[str]) -> None:
        for job_id in jobs:
            try:
                self._tools.bell.ring(self._tools.jobs.forget(job_id))
            except (JobNotFound, JobGone):
                continue

    def _finish(self) -> None:
        if self._status == "in_progress":
            now = round(time.time() * 1000)
            self._status = self._tools.batches.keep(self.lease, status="finalizing", finalizing_ms=now)
        self._end("cancelled" if self._status == "cancelling" else "expired" if self._left_lines else "completed")

    def _end(self, status: str, errors: BatchFaults | None = None) -> None:
        self._tools.batches.end(self.lease, self._at, status, errors)
        log.info("batch=%s ended=%s", self.lease.batch, status)
        self.over = True

    # --- the input

    def _read_by(self) -> Reader:
        if self._reader is None:
            self._reader = self._tools.reader(self._at)
        return self._reader

    def _next_lines(self) -> tuple[list[Line], int]:
        """The lines of the next chunk, and the place behind them."""
        lines: list[Line] = []
        rows, position = 0, self._position
        with self._tools.files.bytes.reading(self._at.input) as stream:
            for position, line in self._read_by().read(stream, self._position, self._line):
                lines.append(line)
                rows += _rows(line.body)
                if len(lines) >= self._tools.chunk_lines or rows >= CHUNK_ROWS or position - self._position >= CHUNK_BYTES:
                    break
        return lines, position

    def _lines(self, chunk: Chunk) -> list[Line]:
        if chunk.lines is None:
            with self._tools.files.bytes.reading(self._at.input) as stream:
                found = islice(self._read_by().read(stream, chunk.start, chunk.first), chunk.count)
                chunk.lines = [line for _, line in found]
        return chunk.lines


def _rows(body: Any) -> int:
    rows = body.get("instances") if isinstance(body, dict) else None
    return len(rows) if isinstance(rows, list) else 1


def _failure(job: Job) -> list[Any]:
    """Status and problem of a job that has no answer."""
    if job.error is None:
        return [409, problem_body(409, "job_canceled", "The job was canceled, so there is no result.")]
    status = FAILURES.get(job.error.code, 503 if job.error.retryable else 500)
    return [status, problem_body(status, job.error.code, job.error.detail, retryable=job.error.retryable)]
