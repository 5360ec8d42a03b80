"""Jobs: submit, look, wait, list, cancel, forget, go on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx

from explainery.client.body import rows
from explainery.client.operations.paths import JOBS, given, job_path, prefer, quoted, whole_seconds
from explainery.client.outcome import read_job
from explainery.client.problems import WaitTimedOut
from explainery.client.steps import Give, Send, Steps, Stream, read, write
from explainery.contract.estimate import Estimate
from explainery.contract.job import Job

if TYPE_CHECKING:
    from explainery.client.body import Inputs

POLL_S = 20.0
"""How long one long poll asks the service to hold its answer."""


def submit(
    model: str,
    inputs: Inputs,
    method: str = "auto",
    *,
    wait_s: float = 0.0,
    cancel_after_s: float | None = None,
    idempotency_key: str | None = None,
    **options: Any,
) -> Steps[Job]:
    """Hand in a job; with `wait_s`, wait that long for its end.

    `inputs`: one array [rows, ...], arrays by input name, a table of pandas or polars, a list of instances, or named tensors.
    `options`: the other fields of the request (`params`, `target`, `baseline`, `seed`, `decision_id`, `deadline_s`, `budget`,
    `priority`, `fresh`); left out, the service's defaults apply. `cancel_after_s`: when the job is canceled if it has not
    ended. Tried again when the connection breaks or the service is away: an `idempotency_key`, your own or a new one, makes it
    one job all the same.
    """
    body = {"model": model, "method": method, **rows(inputs), **options}
    headers = {**prefer(wait_s), "Idempotency-Key": quoted(idempotency_key or str(uuid4()))}
    if cancel_after_s is not None:
        headers["Cancel-After"] = f"{cancel_after_s:.3f}"
    response = yield Send("POST", JOBS, wait_s, again=True, options={"json": body, "headers": headers})
    return read_job(response.json())


def estimate(model: str, inputs: Inputs, method: str = "auto", **options: Any) -> Steps[Estimate]:
    """What a job would cost: calls of the model, seconds, memory, the wait. Nothing enters; takes what `submit` does."""
    body = {"model": model, "method": method, **rows(inputs), **options}
    response = yield Send("POST", f"{JOBS}:estimate", again=True, options={"json": body})
    return Estimate.model_validate(response.json()["estimate"], extra="ignore")


def job(job_id: str) -> Steps[Job]:
    """The job as it is now."""
    response = yield read(job_path(job_id))
    return read_job(response.json())


def jobs(*, status: str | None = None, model: str | None = None, decision_id: str | None = None) -> Stream[Job]:
    """Every job that matches, newest first; pages are fetched as they are needed."""
    query = given(status=status, model=model, decision_id=decision_id)
    while True:
        page = (yield read(JOBS, params=query)).json()
        for document in page["jobs"]:
            yield Give(read_job(document))
        if not page.get("cursor"):
            return
        query["cursor"] = page["cursor"]


def wait(job: Job | str, timeout_s: float | None = None, progress: Callable[[Job], None] | None = None) -> Steps[Job]:
    """Wait until the job has ended, however it ends, and return it; `progress` is called with each change.

    Raises WaitTimedOut after `timeout_s`; the job itself goes on.
    """
    end = float("inf") if timeout_s is None else time.monotonic() + timeout_s
    response = yield read(job_path(job))
    while True:
        known = read_job(response.json())
        if progress is not None:
            progress(known)
        if known.status.ended:
            return known
        changed = yield from _next(response, known.id, end)
        if changed is None:
            raise WaitTimedOut(known, timeout_s or 0.0)
        response = changed


def _next(response: httpx.Response, job_id: str, end: float) -> Steps[httpx.Response | None]:
    """The job's next state after `response`, by long polls; None when there is none before `end`."""
    seen = {"If-None-Match": response.headers["ETag"]} if "ETag" in response.headers else {}
    while (left_s := end - time.monotonic()) > 0:
        wait_s = whole_seconds(min(left_s, POLL_S))
        answer: httpx.Response = yield read(job_path(job_id), wait_s=wait_s, headers={**prefer(wait_s), **seen})
        if answer.status_code != httpx.codes.NOT_MODIFIED:
            return answer
    return None


def cancel(job: Job | str) -> Steps[Job]:
    """Cancel a job. Raises ServiceError (409) when it had ended."""
    response = yield write("POST", job_path(job, "cancel"))
    return read_job(response.json())


def forget(job: Job | str) -> Steps[None]:
    """Delete job, inputs and result for good."""
    yield write("DELETE", job_path(job))


def refine(job: Job | str, *, samples: int = 0, wait_s: float = 0.0, **options: Any) -> Steps[Job]:
    """Go on from a job that succeeded, by a method that samples: a new job, which answers for all samples together.

    `samples`: how many each row may take in addition. `options`: `tolerance`, `budget`, `deadline_s`, `priority`,
    `decision_id`. Raises ServiceError: 409 before the job has succeeded, 410 when its answers are no longer kept, 422 when its
    method does not sample.
    """
    headers = {**prefer(wait_s), "Idempotency-Key": quoted(str(uuid4()))}
    body = {"samples": samples, **options}
    response = yield Send("POST", job_path(job, "refine"), wait_s, again=True, options={"json": body, "headers": headers})
    return read_job(response.json())


def partial(job: Job | str) -> Steps[dict[str, Any]]:
    """The running estimate of a job at work, by a method that samples, with its standard errors. One row of it.

    Raises ServiceError (409) when there is none, not yet or no more.
    """
    return dict((yield read(job_path(job, "partial"))).json())
