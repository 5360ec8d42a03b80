"""One attempt: a POST to an address that was checked when the connection was made; redirects are not followed."""

from __future__ import annotations

import email.utils
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from ssl import SSLContext

import httpcore
import httpx

from explainery.allowed_hosts import AllowList
from explainery.checked_network import CheckedBackend, at_most
from explainery.contract.errors import InvalidWebhook, RemoteForbidden, RemoteUnavailable
from explainery.courier.addresses import Target, reachable, read_target

MOST_READ = 2**16
"""Bytes of an answer that are read; nobody looks at them."""
LONGEST_RETRY_S = 86400.0


@dataclass(frozen=True)
class Answer:
    """What a target answered: its status, or why there is none. `retry_after_s`: how long it wants to be left alone."""

    status: int | None
    told: str
    retry_after_s: float = 0.0


def post(
    url: str, headers: dict[str, str], body: bytes, allowed: AllowList, timeout_s: float, given_up: threading.Event
) -> Answer:
    """Send it once. Nothing is raised: what goes wrong is an answer, too. `given_up` ends it early."""
    try:
        target = read_target(url, allowed)
    except InvalidWebhook:
        return Answer(None, "the address may not be called")
    try:
        with at_most(timeout_s):
            return _sent(target, headers, body, allowed, given_up)
    except httpcore.TimeoutException:
        return Answer(None, f"no answer within {timeout_s:g} s")
    except RemoteForbidden:
        return Answer(None, "the name stands for an address that may not be called")
    except RemoteUnavailable:
        return Answer(None, "the name is not known")
    except httpcore.ConnectError:
        return Answer(None, "cannot be reached, or its certificate is not trusted")
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError, ValueError):
        return Answer(None, "broke off the connection")


def _sent(target: Target, headers: dict[str, str], body: bytes, allowed: AllowList, given_up: threading.Event) -> Answer:
    secure = target.scheme == "https"
    host = f"[{target.host}]" if ":" in target.host else target.host
    named = host if target.port == (443 if secure else 80) else f"{host}:{target.port}"
    pool = httpcore.ConnectionPool(
        ssl_context=_tls() if secure else None,
        max_connections=1,
        max_keepalive_connections=0,
        network_backend=CheckedBackend(reachable(target, allowed), given_up),
    )
    url = httpcore.URL(scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode())
    asked = {"host": named, **headers, "content-length": str(len(body)), "accept-encoding": "identity"}
    with pool, pool.stream("POST", url, headers=list(asked.items()), content=body) as response:
        said = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        read = 0
        for piece in response.iter_stream():
            read += len(piece)
            if read > MOST_READ:
                break
        return Answer(response.status, str(response.status), _retry_after_s(said.get("retry-after", "")))


@cache
def _tls() -> SSLContext:
    return httpx.create_ssl_context()


def _retry_after_s(text: str) -> float:
    text = text.strip()
    if text.isdecimal():
        return min(float(text[:9]), LONGEST_RETRY_S)
    try:
        until = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the second where a year has twenty digits
        return 0.0
    seconds = (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_S)
