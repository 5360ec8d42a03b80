"""Results: as arrays, as files, as pictures; and submit, wait, result in one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx

from explainery.client.body import listed
from explainery.client.operations import jobs
from explainery.client.operations.paths import given, job_path
from explainery.client.outcome import ExplanationResult, read_result
from explainery.client.problems import JobFailed, ServiceError
from explainery.client.steps import Steps, read
from explainery.contract.job import Job

if TYPE_CHECKING:
    from explainery.client.body import Inputs

_SAFETENSORS = "application/vnd.safetensors"


def result(job: Job | str) -> Steps[ExplanationResult]:
    """The result of a job that succeeded.

    Raises JobFailed when it ended otherwise, ServiceError (409) when it has not ended.
    """
    return read_result((yield from result_bytes(job, _SAFETENSORS)))


def result_bytes(job: Job | str, media_type: str) -> Steps[bytes]:
    """The result as a file: JSON, a NumPy archive or safetensors, by its media type."""
    return (yield from _of_result(job, "result", headers={"Accept": media_type}))


def figure(
    job: Job | str,
    kind: str = "auto",
    form: str = "svg",
    *,
    row: int = 0,
    input: str | None = None,
    layer: str | None = None,
    head: int | None = None,
) -> Steps[bytes]:
    """A picture of one row of the result, as svg, png, html or json.

    Raises JobFailed when the job ended without a result, ServiceError (404, 422) for a kind that there is not or that does not
    fit; it names those that do.
    """
    query = given(row=row, input=input, layer=layer, head=head)
    return (yield from _of_result(job, "figures", f"{kind}.{form}", params=query))


def explain(
    model: str,
    inputs: Inputs,
    method: str = "auto",
    *,
    timeout_s: float | None = None,
    progress: Callable[[Job], None] | None = None,
    **options: Any,
) -> Steps[ExplanationResult]:
    """Submit, wait, result. Raises JobFailed when the job ends without one, WaitTimedOut after `timeout_s`."""
    begun = time.monotonic()
    first_s = 1.0 if progress else jobs.POLL_S
    known = yield from jobs.submit(model, inputs, method, wait_s=min(first_s, timeout_s or first_s), **options)
    if not known.status.ended:
        left_s = None if timeout_s is None else timeout_s - (time.monotonic() - begun)
        known = yield from jobs.wait(known, left_s, progress)
    return (yield from result(known)).of(listed(inputs))


def _of_result(job: Job | str, *parts: str, **options: Any) -> Steps[bytes]:
    try:
        response: httpx.Response = yield read(job_path(job, *parts), **options)
    except ServiceError as error:
        if error.status == httpx.codes.CONFLICT:
            known = yield from jobs.job(job if isinstance(job, str) else job.id)
            if known.status.ended:
                raise JobFailed(known) from None
        raise
    return response.content
