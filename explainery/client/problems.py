"""What can go wrong for a client: a class per kind of answer, so that each can be caught on its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import httpx

from explainery.contract.job import Job


class ClientError(Exception):
    """Base of what the client raises."""


class ServiceUnreachable(ClientError):
    """Nobody answers at the address, or the connection broke too often."""


class ServiceError(ClientError):
    """The service answered with a problem (RFC 9457). `errors`: `{"loc", "msg"}` for each fault of a request."""

    def __init__(self, status: int, code: str, detail: str, errors: list[dict[str, str]], retryable: bool) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.retryable = retryable

    @property
    def refused(self) -> bool:
        """Whether the request itself was at fault (4xx)."""
        return 400 <= self.status < 500


class JobFailed(ClientError):
    """The job ended without a result: failed, canceled or expired."""

    def __init__(self, job: Job) -> None:
        reason = f": {job.error.detail} ({job.error.code})" if job.error else ""
        super().__init__(f"Job {job.id} {job.status}{reason}")
        self.job = job


class WaitTimedOut(ClientError):
    """The job had not ended in the time given; it goes on. `job` is its last known state."""

    def __init__(self, job: Job, timeout_s: float) -> None:
        super().__init__(f"Job {job.id} is still {job.status} after {timeout_s:g} s; wait for it again, or cancel it")
        self.job = job


def problem(response: httpx.Response) -> ServiceError:
    """The problem an answer states; an answer of somebody in between (a proxy) is told by its status."""
    body: dict[str, Any] = {}
    with contextlib.suppress(ValueError):
        body = parsed if isinstance(parsed := response.json(), dict) else {}
    return ServiceError(
        response.status_code,
        str(body.get("code", "unexpected_answer")),
        str(body.get("detail") or f"The service answered {response.status_code} {response.reason_phrase}"),
        list(body.get("errors", [])),
        bool(body.get("retryable", response.status_code in (429, 503))),
    )


@contextlib.contextmanager
def told(http: httpx.Client | httpx.AsyncClient, base_url: str) -> Iterator[None]:
    """Say as ServiceUnreachable what goes wrong on the way."""
    if http.is_closed:
        raise ServiceUnreachable("The client has been closed")
    try:
        yield
    except httpx.TransportError as error:
        raise broken(error, base_url) from error


def broken(error: httpx.TransportError, base_url: str) -> ServiceUnreachable:
    """What a failure of the connection means."""
    if isinstance(error, httpx.ConnectError):
        return ServiceUnreachable(f"No service answers at {base_url}; start one with `explainery up`")
    kind = "took too long" if isinstance(error, httpx.TimeoutException) else "broke off"
    return ServiceUnreachable(f"The connection to {base_url} {kind}")


class BatchNotEnded(ClientError):
    """The batch had not ended when waiting ended; `batch` is as it was then. It goes on."""

    def __init__(self, batch: dict[str, Any]) -> None:
        super().__init__(f"Batch {batch['id']} is {batch['status']}")
        self.batch = batch
