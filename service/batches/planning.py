"""Lines -> jobs. Lines that ask alike become one job of many rows: the engine is quicker so, and the answers are the same."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson

from explainery.contract.errors import (
    BackgroundNotFound,
    CatalogueUnavailable,
    ExplaineryError,
    InvalidBaseline,
    NoWorker,
    QueueFull,
    QuotaExceeded,
    StoreUnavailable,
)
from explainery.contract.job import JobRequest, JobSpec
from explainery.contract.tensors import pack
from explainery.store.backgrounds import Backgrounds
from explainery.store.ids import new_job_id
from explainery.store.jobs import ANY, Quota
from service.admission import Terms, admit
from service.batches.lines import Line
from service.estimating import check_cost
from service.faults import fault
from service.problems import STATUSES
from service.shelf import Shelf
from service.validation import validated

PASSING = (StoreUnavailable, CatalogueUnavailable, NoWorker, QueueFull, QuotaExceeded)
"""Errors that are no line's fault: they pass, and it is tried again."""
log = logging.getLogger(__name__)

Member = tuple[int, int]
"""A line's number within its chunk, and how many rows it has."""


@dataclass(frozen=True, eq=False)
class Job:
    """A job that may enter, and the lines it answers, in the order of its rows."""

    spec: JobSpec
    inputs: bytes
    lines: list[Member]


@dataclass(frozen=True, eq=False)
class Planned:
    """What becomes of lines. `refused`: line -> status and problem of those that cannot be asked."""

    jobs: list[Job] = field(default_factory=list)
    refused: dict[int, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Desk:
    """Admits requests of one tenant. `layers_of`, `past_of`: see `service.admission.admit`."""

    shelf: Shelf
    terms: Terms
    layers_of: Any
    past_of: Any
    backgrounds: Backgrounds
    max_evaluations: int
    most_rows: int
    """Most rows that lines are put together to."""
    quota: Quota = ANY
    """What the tenant's jobs may take."""

    def admitted(self, asked: JobRequest, lines: list[Member]) -> Job:
        """The job of a request. Raises what `admit` raises, OverBudget."""
        admitted = admit(
            asked, self.shelf, self.terms, job_id=new_job_id(), layers_of=self.layers_of, past_of=self.past_of,
            stored=partial(_stored, self.backgrounds, self.terms.tenant),
        )  # fmt: skip
        check_cost(admitted.spec, self.max_evaluations)
        return Job(admitted.spec, pack(admitted.arrays), lines)


def plan(lines: Iterable[tuple[int, Line]], desk: Desk) -> Planned:
    """Jobs for numbered lines. Raises what passes (`PASSING`), and then the whole is to be tried again."""
    planned = Planned()
    for group in groups(lines, desk.most_rows):
        _admit(group, desk, planned)
    return planned


def groups(lines: Iterable[tuple[int, Line]], most_rows: int) -> list[list[tuple[int, Line]]]:
    """Lines that differ in their rows alone, put together; every other one by itself."""
    found: list[list[tuple[int, Line]]] = []
    filling: dict[bytes, tuple[list[tuple[int, Line]], int]] = {}
    for number, line in lines:
        alike = likeness(line.body)
        if alike is None:
            found.append([(number, line)])
            continue
        more = len(line.body["instances"])
        group, rows = filling.get(alike, ([], most_rows))
        if rows + more > most_rows:
            group, rows = [], 0
            found.append(group)
        group.append((number, line))
        filling[alike] = group, rows + more
    return found


def likeness(body: Any) -> bytes | None:
    """What lines that may be one job have in common; None for a line that is a job by itself.

    Targets and tensors that are given row by row would count on from another line's rows, and a budget is a whole job's.
    """
    if not isinstance(body, dict) or not isinstance(body.get("instances"), list) or not body["instances"]:
        return None
    whole = isinstance(body.get("target"), list) or body.get("budget") is not None
    baseline = body.get("baseline")
    if whole or "inputs" in body or (isinstance(baseline, dict) and "tensor" in baseline):
        return None
    shared = {name: value for name, value in body.items() if name != "instances"}
    try:
        return orjson.dumps(shared, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # a number beyond 64 bits, say
        return None


def _admit(group: Sequence[tuple[int, Line]], desk: Desk, planned: Planned) -> None:
    """One job where that can be; where not, each line by itself, so that one that is refused takes none with it."""
    try:
        asked = _request([line.body for _, line in group])
        if len(group) == 1 or _by_row(asked, desk.shelf):
            rows = [len(line.body["instances"]) if len(group) > 1 else 0 for _, line in group]
            job = desk.admitted(asked, [(number, size) for (number, _), size in zip(group, rows, strict=True)])
            planned.jobs.append(_sized(job))
            return
    except PASSING:
        raise
    except Exception as error:  # one line must not stop all others; a message could quote what was sent
        if len(group) == 1:
            planned.refused[group[0][0]] = _fault(error)
            return
    good: list[tuple[int, Line]] = []
    for each in group:
        alone = Planned()
        _admit([each], desk, alone)
        planned.refused.update(alone.refused)
        good += [each] if alone.jobs else []
    if 0 < len(good) < len(group) and len(good) > 1:
        _admit(good, desk, planned)
    else:
        for each in good:
            _admit([each], desk, planned)


def _sized(job: Job) -> Job:
    """A line by itself has as many rows as its job."""
    if len(job.lines) == 1:
        return Job(job.spec, job.inputs, [(job.lines[0][0], job.spec.rows)])
    return job


def _request(bodies: Sequence[Any]) -> JobRequest:
    body = bodies[0]
    if isinstance(body, dict):
        body = {"priority": "batch", **body}
        if len(bodies) > 1:
            body["instances"] = [row for each in bodies for row in each["instances"]]
    return validated(JobRequest, body)


def _by_row(asked: JobRequest, shelf: Shelf) -> bool:
    """Whether the method answers for each row by itself."""
    spec = shelf.methods.get(asked.method)
    return spec is None or spec.level == "row"


def _fault(error: Exception) -> list[Any]:
    """What a line is answered that cannot be asked, as the route would answer: also where we break on it."""
    if isinstance(error, ExplaineryError):
        return problem_of(error)
    frames = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    log.error("line_broke kind=%s at=%s", type(error).__name__, frames[-4:])
    return [500, problem_body(500, "internal_error", "Something went wrong on our side.")]


def problem_of(error: ExplaineryError) -> list[Any]:
    """Status and body of an error, as the route would answer."""
    status = next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
    more = {"errors": faults} if (faults := getattr(error, "errors", None)) else {}
    return [status, problem_body(status, error.code, error.detail, retryable=error.retryable, **more)]


def problem_body(status: int, code: str, detail: str, *, retryable: bool = False, **more: Any) -> dict[str, Any]:
    """The one shape of an error."""
    title = code.replace("_", " ").capitalize()
    known = {"type": f"urn:explainery:problem:{code}", "title": title, "status": status, "detail": detail, "code": code}
    return {**known, "error": detail, "retryable": retryable, **more}


def _stored(backgrounds: Backgrounds, tenant: str, background_id: str) -> bytes:
    try:
        return backgrounds.get(tenant, background_id)
    except BackgroundNotFound:
        message = "names no background that is stored; store it again with POST /v1/backgrounds"
        raise fault(InvalidBaseline, "baseline.background", message) from None
