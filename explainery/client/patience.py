"""When a request is tried again: what may be said twice, when the service is away for a moment."""

from __future__ import annotations

import httpx

from explainery.client.problems import ServiceUnreachable, problem
from explainery.client.steps import Once, Pause, Send, Steps

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0


def patiently(send: Send, retries: int) -> Steps[httpx.Response]:
    """A request with patience, if it may be said twice.

    Connection errors and 503 are tried again, after `Retry-After` or a growing pause. Raises ServiceError, ServiceUnreachable.
    """
    for attempt in range(retries if send.again else 0):
        pause_s = min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S)
        try:
            response: httpx.Response = yield Once(send)
        except ServiceUnreachable:
            yield Pause(pause_s)
            continue
        if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            return checked(response)
        yield Pause(_retry_after(response, pause_s))
    last: httpx.Response = yield Once(send)
    return checked(last) if send.checked else last


def checked(response: httpx.Response) -> httpx.Response:
    """The response, if it is a good one. Raises ServiceError."""
    if response.is_success or response.status_code == httpx.codes.NOT_MODIFIED:
        return response
    raise problem(response)


def _retry_after(response: httpx.Response, pause_s: float) -> float:
    text = response.headers.get("Retry-After", "")
    return min(float(text), LONGEST_PAUSE_S) if text.isdigit() else pause_s
