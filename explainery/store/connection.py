"""The connection to Redis, and the one place where its failures become StoreUnavailable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ClusterDownError, OutOfMemoryError, ReadOnlyError, ResponseError
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import TimeoutError as TooSlow
from redis.retry import Retry

from explainery.contract.errors import StoreUnavailable
from explainery.settings import Settings

SOCKET_TIMEOUT_S = 3.0
"""Longest silence inside one call; blocking reads must block for less."""

_BY_CLASS: dict[type[ResponseError], str] = {
    OutOfMemoryError: "Redis is full; wait for results to expire, or give it more memory.",
    ReadOnlyError: "This Redis is a replica; point redis_url at the primary.",
    ClusterDownError: "Redis has no primary at the moment; try again soon.",
}
_BY_WORD = {
    "MISCONF": "Redis cannot write its log to disk; free some space.",
    "NOREPLICAS": "Redis has too few replicas to accept writes.",
    "BUSY": "Redis is busy with a script; try again soon.",
}


def connect(settings: Settings) -> Redis:
    """A client for `settings.redis_url` that gives bytes. Nothing is sent before its first command.

    A refused or broken connection is tried again for about 1.5 s, a restart of Redis: every step may be said twice. Silence is
    not tried again: it has cost `SOCKET_TIMEOUT_S` already.
    """
    return Redis.from_url(
        settings.redis_url,
        socket_timeout=SOCKET_TIMEOUT_S,
        socket_connect_timeout=2.0,
        socket_keepalive=True,
        health_check_interval=10,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.025), 6, supported_errors=(Unreachable,)),
    )


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn failures of Redis, not of the caller, into StoreUnavailable. Usable as a decorator."""
    try:
        yield
    except Unreachable as error:
        raise StoreUnavailable("Redis cannot be reached; check that it runs and that redis_url is right.") from error
    except TooSlow as error:
        raise StoreUnavailable("Redis does not answer in time; try again soon.") from error
    except ResponseError as error:
        if (detail := _refusal(error)) is None:
            raise
        raise StoreUnavailable(detail) from error


def _refusal(error: ResponseError) -> str | None:
    """What to do about a refused command, or None when the command itself was wrong."""
    for kind, detail in _BY_CLASS.items():
        if isinstance(error, kind):
            return detail
    return _BY_WORD.get(str(error).split(" ", 1)[0])
