"""One request and its answer: what the far side's status means, and when it is asked once more.

Nothing that the far side says in words is repeated: an error's text may quote the input.
"""

from __future__ import annotations

import email.utils
import random
import ssl
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import httpcore
import httpx

from explainery.allowed_hosts import AllowList
from explainery.checked_network import CheckedBackend, at_most
from explainery.contract.errors import RemoteAnswerInvalid, RemoteRefused, RemoteUnavailable
from explainery.contract.remote_card import RemoteSpec

MOST_BYTES = 2**26
"""Of one answer."""
PASSING = (408, 425, 429)
"""Statuses of 4xx that may pass by themselves; those of 5xx may as well."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0
"""A longer pause is the queue's business: meanwhile the worker does something else."""
LONGEST_RETRY_S = 300.0
IDLE_S = 30.0
HINTS = {
    401: "check the headers in [remote]",
    403: "check the headers in [remote]",
    404: "check model and version in [remote]",
    413: "lower batch in [remote]",
}


@dataclass(frozen=True)
class Reply:
    """An answer of status 200. Header names are lower case."""

    headers: Mapping[str, str]
    body: bytes


class Exchange:
    """Asks one host, over connections that are kept. Called from several threads.

    `given_up`: set from outside, it ends every request that is going on, with RemoteUnavailable.
    """

    def __init__(self, remote: RemoteSpec, headers: Mapping[str, str], allowed: AllowList) -> None:
        self._remote = remote
        self._headers = [*headers.items(), ("Accept-Encoding", "identity"), ("User-Agent", "explainery")]
        self.given_up = threading.Event()
        self._random = random.Random()  # noqa: S311  # spreads retries, decides nothing else
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context() if remote.url.startswith("https:") else None,
            max_connections=remote.concurrency,
            max_keepalive_connections=remote.concurrency,
            keepalive_expiry=IDLE_S,
            network_backend=CheckedBackend(allowed, self.given_up),
        )
        weakref.finalize(self, self._pool.close)

    def get(self, path: str) -> Reply:
        """Read. Raises RemoteUnavailable, RemoteRefused, RemoteForbidden."""
        return self._patiently("GET", path, [], None)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Ask for a computation; it may be asked again, because it changes nothing. Raises like `get`."""
        return self._patiently("POST", path, list(headers.items()), body)

    def _patiently(self, verb: str, path: str, headers: list[tuple[str, str]], body: bytes | None) -> Reply:
        """Try again what may pass, a few times and after short pauses."""
        for attempt in range(self._remote.retries):
            try:
                return self._once(verb, path, headers, body)
            except RemoteUnavailable as error:
                pause_s = FIRST_PAUSE_S * 2**attempt * self._random.uniform(0.5, 1.5)
                pause_s = max(pause_s, error.retry_after_s)
                if pause_s > LONGEST_PAUSE_S or self.given_up.wait(pause_s):
                    raise
        return self._once(verb, path, headers, body)

    def _once(self, verb: str, path: str, headers: list[tuple[str, str]], body: bytes | None) -> Reply:
        where, limit_s = f"{self._remote.host}:{self._remote.port}", self._remote.timeout_s
        if self.given_up.is_set():
            raise RemoteUnavailable("Nobody waits for this answer any more.")
        try:
            with at_most(limit_s):
                return self._sent(verb, path, headers, body)
        except httpcore.TimeoutException:
            raise RemoteUnavailable(f"{where} did not answer within {limit_s:g} s ([remote] timeout_s).") from None
        except (httpcore.NetworkError, httpcore.RemoteProtocolError) as error:
            if isinstance(error.__context__, ssl.SSLCertVerificationError):
                raise RemoteRefused(
                    f"The certificate of {where} is not trusted by this worker; SSL_CERT_FILE names further authorities."
                ) from None
            what = "cannot be reached" if isinstance(error, httpcore.ConnectError) else "broke off the connection"
            raise RemoteUnavailable(f"{where} {what}.") from None

    def _sent(self, verb: str, path: str, headers: list[tuple[str, str]], body: bytes | None) -> Reply:
        asked = [*self._headers, *headers]
        with self._pool.stream(verb, self._remote.address(path), headers=asked, content=body) as response:
            answered = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            content = _read(response)
        check_status(response.status, answered)
        if answered.get("content-encoding", "identity") != "identity":
            raise RemoteAnswerInvalid("The far side compressed its answer, which it was asked not to.")
        return Reply(answered, content)


def _read(response: httpcore.Response) -> bytes:
    parts, size = [], 0
    for part in response.iter_stream():
        size += len(part)
        if size > MOST_BYTES:
            raise RemoteAnswerInvalid(f"The far side's answer is larger than {MOST_BYTES} bytes; lower batch in [remote].")
        parts.append(part)
    return b"".join(parts)


def check_status(status: int, headers: Mapping[str, str]) -> None:
    """Raise RemoteUnavailable for what may pass, RemoteRefused for any other status but 200."""
    if status == 200:
        return
    if status in PASSING or status >= 500:
        raise RemoteUnavailable(f"The far side answered with status {status}.", retry_after_s(headers, datetime.now(UTC)))
    if 300 <= status < 400:
        raise RemoteRefused(f"The far side redirects (status {status}), which is not followed; give [remote] its own address.")
    hint = HINTS.get(status, "try the model there by itself")
    raise RemoteRefused(f"The far side refused the request with status {status}; {hint}.")


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float:
    """Seconds of a `Retry-After`, which holds seconds or a date (RFC 9110, 10.2.3); 0 where there is none."""
    text = headers.get("retry-after", "").strip()
    if text.isdecimal():
        seconds = float(text[:9])
    else:
        try:
            until = email.utils.parsedate_to_datetime(text)
        except ValueError:
            return 0.0
        seconds = (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_S)
