"""Explaining while the client waits: for protocols whose clients take any good answer for the explanation.

The job enters like every other. What the protocol knows no word for, it answers in ours: 202 and the job where the client
prefers that, 504 with the job's address where it takes too long, a problem where it did not succeed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Response, request

from explainery.contract.errors import (
    InvalidParameter,
    JobEnded,
    JobNotSucceeded,
    QueueFull,
    QuotaExceeded,
    SyncLimitReached,
)
from explainery.contract.events import JOBS
from explainery.contract.job import Job, JobRequest, JobState
from explainery.contract.result import Result
from explainery.contract.tensors import unpack_result
from service.answers import job_answer
from service.entering import Entry, prepared
from service.faults import refusal
from service.parts import Parts, parts
from service.prefer import Preference, read_preference
from service.shelf import PREDICT
from service.waiting import submitted, until_ended

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Answer:
    """A job that succeeded."""

    job: Job
    result: Result
    arrays: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Now:
    """The answers to what was asked, in its order, and headers that go with them."""

    answers: list[Answer]
    headers: dict[str, str]


def answer_now(*asked: JobRequest) -> Now | Response:
    """Enter jobs and wait for them. What the client is told of is the first; the others go with it.

    A response where there is no answer for now: 202. Raises what `prepared` does, SyncLimitReached, JobNotSucceeded.
    """
    context = parts()
    preference = read_preference(request.headers.get("Prefer"), context.settings.sync_limit_s)
    asked_to = preference.waits or preference.responds_async
    wait_s = preference.wait_s if asked_to else context.settings.sync_limit_s
    entries = [prepared(context, each, part=part) for part, each in enumerate(asked)]
    for entry in entries:
        _check_by_row(context, entry)
    if preference.responds_async and not preference.waits:
        entries = entries[:1]
    jobs = _waited(context, entries, wait_s)
    if preference.responds_async and not (preference.waits and all(job.status.ended for job in jobs)):
        return job_answer(jobs[0], status=202, created=True, applied=preference.applied)
    return Now([_answer(context, job) for job in jobs], _headers(jobs[0], preference))


def predict_of(asked: JobRequest) -> JobRequest:
    """The same rows of the same model, asked for the model's answers; what is asked of an explanation alone is left out."""
    plain = {"method": PREDICT, "params": {}, "target": "predicted", "baseline": "card", "seed": 0}
    plain |= {"quality": [], "reasons": None, "budget": None}
    return asked.model_copy(update=plain)


def offers_predictions() -> bool:
    """Whether the workers give predictions: an operator may have switched that off."""
    return PREDICT in parts().shelf().methods


def _waited(context: Parts, entries: Sequence[Entry], wait_s: float) -> list[Job]:
    deadline = time.monotonic() + wait_s
    first, *others = entries
    for entry in others:
        entry.enter()
    try:
        jobs = [submitted(context, first, wait_s)]
    except (QuotaExceeded, QueueFull):
        for entry in others:
            _let_go(context, entry)
        raise
    return jobs + [until_ended(context, entry.id, max(0.0, deadline - time.monotonic())) for entry in others]


def _let_go(context: Parts, entry: Entry) -> None:
    """Cancel a job that was to go with one that may not enter: nobody is told of it. Under a key, the next try finds it."""
    if entry.once is None:
        with suppress(JobEnded):
            context.bell.ring(context.jobs.cancel(entry.id)[1])


def _check_by_row(context: Parts, entry: Entry) -> None:
    if entry.spec is None:
        return  # it was looked at when it came first
    method = context.shelf().method(entry.spec.method)
    if method.level == "job" and method.name != PREDICT:
        detail = f"{method.name} answers for a job as a whole, which this protocol has no form for; use POST {JOBS}."
        raise refusal(InvalidParameter, "method", detail)


def _headers(job: Job, preference: Preference) -> dict[str, str]:
    headers = {"Location": _address(job), "Vary": "Prefer"}
    return headers | ({"Preference-Applied": preference.applied} if preference.applied else {})


def _address(job: Job) -> str:
    return f"{request.script_root}{JOBS}/{job.id}"


def _answer(context: Parts, job: Job) -> Answer:
    where = _address(job)
    if not job.status.ended:
        raise SyncLimitReached(f"The job takes longer than this request may wait. It goes on: look at {where}.", where)
    if job.status is not JobState.SUCCEEDED:
        why = f": {job.error.detail}" if job.error else "."
        told = job.error.model_dump() if job.error else None
        raise JobNotSucceeded(f"The job has {_ended(job)}{why}", where, job.status.value, told)
    result, arrays = unpack_result(context.jobs.result(job.id))
    return Answer(job, result, arrays)


def _ended(job: Job) -> str:
    return {JobState.FAILED: "failed", JobState.CANCELED: "been canceled"}.get(job.status, "expired")
