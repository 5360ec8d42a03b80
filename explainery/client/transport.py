"""HTTP with patience: reading, and what may be said twice, is tried again when the service is away for a moment."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import httpx

from explainery.client.problems import ServiceUnreachable, problem

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0


class Transport:
    """Requests to one service. `timeout_s`: how long an answer may take; `retries`: how often a request is tried again."""

    def __init__(self, base_url: str, timeout_s: float, retries: int, api_key: str | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout_s = timeout_s
        self._retries = retries
        self._http = httpx.Client(base_url=self._base_url, timeout=timeout_s, headers=_who(api_key))

    def get(self, path: str, *, wait_s: float = 0.0, **options: Any) -> httpx.Response:
        """Read. Connection errors and 503 are tried again, after `Retry-After` or a growing pause."""
        return self._patiently("GET", path, wait_s, options)

    def again(self, verb: str, path: str, *, wait_s: float = 0.0, **options: Any) -> httpx.Response:
        """Write what may be said twice, because an idempotency key goes with it: with the patience of `get`."""
        return self._patiently(verb, path, wait_s, options)

    def _patiently(self, verb: str, path: str, wait_s: float, options: dict[str, Any]) -> httpx.Response:
        for attempt in range(self._retries):
            pause_s = min(_FIRST_PAUSE_S * 2**attempt, _LONGEST_PAUSE_S)
            try:
                response = self._send(verb, path, wait_s, options)
            except ServiceUnreachable:
                time.sleep(pause_s)
                continue
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                return _checked(response)
            time.sleep(_retry_after(response, pause_s))
        return _checked(self._send(verb, path, wait_s, options))

    def send(self, verb: str, path: str, *, wait_s: float = 0.0, **options: Any) -> httpx.Response:
        """Write, once: whether what broke off arrived cannot be known."""
        return _checked(self._send(verb, path, wait_s, options))

    @contextmanager
    def stream(self, path: str, silence_s: float, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """Read an answer as it comes; it may be silent for `silence_s`. What breaks meanwhile is ServiceUnreachable, too."""
        timeout = httpx.Timeout(self._timeout_s, read=silence_s)
        with self._failures(), self._http.stream("GET", path, timeout=timeout, headers=headers) as response:
            if not response.is_success:
                response.read()
            yield _checked(response)

    def peek(self, path: str) -> httpx.Response:
        """Read once and whatever the status is."""
        return self._send("GET", path, 0.0, {})

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _send(self, verb: str, path: str, wait_s: float, options: dict[str, Any]) -> httpx.Response:
        timeout = httpx.Timeout(self._timeout_s, read=self._timeout_s + wait_s)
        with self._failures():
            return self._http.request(verb, path, timeout=timeout, **options)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectError:
            raise ServiceUnreachable(f"No service answers at {self._base_url}; start one with `explainery up`") from None
        except httpx.TransportError as error:
            kind = "took too long" if isinstance(error, httpx.TimeoutException) else "broke off"
            raise ServiceUnreachable(f"The connection to {self._base_url} {kind}") from error


def _who(api_key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {api_key}"} if api_key else {}


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success or response.status_code == httpx.codes.NOT_MODIFIED:
        return response
    raise problem(response)


def _retry_after(response: httpx.Response, pause_s: float) -> float:
    text = response.headers.get("Retry-After", "")
    return min(float(text), _LONGEST_PAUSE_S) if text.isdigit() else pause_s
