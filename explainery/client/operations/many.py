"""Any number of rows, in jobs of a few rows each, of which a few are at work: memory does not grow with the rows."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from explainery.client.operations import jobs, results
from explainery.client.outcome import ExplanationResult
from explainery.client.problems import ClientError, JobFailed, ServiceError
from explainery.client.progress import Told, teller
from explainery.client.steps import Give, Left, Steps, Stream, Take
from explainery.client.tables import Awaited, Stretch, stretches
from explainery.contract.errors import InvalidInput
from explainery.contract.job import Job, JobState

if TYPE_CHECKING:
    from explainery.client.body import Inputs

    Rows = Inputs | Iterable[Any] | AsyncIterable[Any]

FULL = ("queue_full", "quota_exceeded")
MOST_STOPS = 50
"""How often a run under one key may have been stopped before."""


@dataclass(frozen=True, eq=False)
class _Part:
    """A job at work, and its rows."""

    job: Job
    rows: list[Any]
    labels: list[Any] | None


def explain_many(
    model: str,
    rows: Rows,
    method: str = "auto",
    *,
    rows_per_job: int = 64,
    jobs_ahead: int = 8,
    progress: bool | Callable[[int, int | None], None] = True,
    idempotency_key: str | None = None,
    **options: Any,
) -> Stream[ExplanationResult]:
    """Explain any number of rows; gives a result of one row for each, in their order, as they come.

    `rows`: a table of pandas or polars, an array, or any iterator of rows (as `instances` of a request have them), which is
    read as far as `jobs_ahead` jobs of `rows_per_job` rows go, and no further: memory does not grow with the rows. `progress`:
    a bar where tqdm is installed, nothing (False), or what is called with the rows done and the rows there are (None: not
    known). `options`: as of `submit`.

    Each job is submitted under a key of its own, made from `idempotency_key`: with the same key and the same rows, an
    interrupted run goes on without computing again what was computed. `ExplanationResult.joined` makes one result of many.
    Raises JobFailed when a job ends without a result. Whoever stops early, or an error, cancels the jobs under way.
    """
    if isinstance(options.get("target"), list):
        raise InvalidInput("explain_many takes one target for all rows; give an index, a label, or leave it out")
    if rows_per_job < 1 or jobs_ahead < 1:
        raise InvalidInput("rows_per_job and jobs_ahead must be 1 or more")
    source, total = stretches(rows, rows_per_job)
    run = _Run(model, method, options, idempotency_key or str(uuid4()), source, jobs_ahead)
    with teller(progress, total) as told:
        try:
            yield from run.results(told)
        except Left:
            yield from run.cancel()
        except Exception:
            yield from run.cancel()
            raise


class _Run:
    """One call of `explain_many` on its way."""

    def __init__(self, model: str, method: str, options: dict[str, Any], key: str, source: Any, ahead: int) -> None:
        self._asked = (model, method, options)
        self._key, self._source, self._ahead = key, source, ahead
        self._number = 0
        self._part: deque[_Part] = deque()
        self._left: Stretch | None = None
        self._ended = False

    def results(self, told: Told) -> Stream[ExplanationResult]:
        """Keep jobs under way, and give the rows of the oldest."""
        while True:
            yield from self._fill()
            if not self._part:
                return
            part = self._part[0]
            ended = yield from jobs.wait(part.job)
            if ended.status is not JobState.SUCCEEDED:
                raise JobFailed(ended)
            found = (yield from results.result(ended)).of(part.rows, part.labels)
            self._part.popleft()
            for row in range(len(part.rows)):
                yield Give(found.row(row))
                told(1)

    def cancel(self) -> Steps[None]:
        """Cancel what is under way."""
        for part in self._part:
            try:
                yield from jobs.cancel(part.job)
            except ClientError:
                continue  # it has ended, or nobody answers

    def _fill(self) -> Steps[None]:
        while len(self._part) < self._ahead and not self._ended:
            stretch = self._left or (yield from _next(self._source))
            if stretch is None:
                self._ended = True
                return
            try:
                self._part.append((yield from self._submitted(*stretch)))
            except ServiceError as error:
                if error.code not in FULL or not self._part:
                    raise
                self._left = stretch  # there is room when one of ours has ended
                return
            self._left = None

    def _submitted(self, rows: list[Any], labels: list[Any] | None) -> Steps[_Part]:
        """The job of a stretch: that of an earlier run under the same key, unless it was canceled when that run stopped."""
        model, method, options = self._asked
        for key in self._keys():
            job = yield from jobs.submit(model, rows, method, idempotency_key=key, **options)
            if job.status is not JobState.CANCELED:
                break
        self._number += 1
        return _Part(job, rows, labels)

    def _keys(self) -> Iterator[str]:
        first = f"{self._key}/{self._number}"
        yield first
        yield from (f"{first}~{again}" for again in range(1, MOST_STOPS + 1))


def _next(source: Any) -> Steps[Stretch | None]:
    """The next stretch. Where rows come asynchronously, they are gathered here one by one."""
    if not isinstance(source, Awaited):
        stretch: Stretch | None = yield Take(source)
        return stretch
    rows: list[Any] = []
    while len(rows) < source.size and (row := (yield Take(source.rows))) is not None:
        rows.append(row)
    return (rows, None) if rows else None
