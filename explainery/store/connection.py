"""The connection to Redis, and the one place where its failures become StoreUnavailable."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import (
    ClusterCrossSlotError,
    ClusterDownError,
    ClusterError,
    MasterDownError,
    MovedError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import TimeoutError as TooSlow
from redis.retry import Retry
from redis.sentinel import Sentinel

from explainery.contract.errors import SettingsInvalid, StoreUnavailable
from explainery.settings import Settings
from explainery.store.addresses import Sentinels, sentinels

SOCKET_TIMEOUT_S = 3.0
"""Longest silence inside one call; blocking reads must block for less."""
SENTINEL_S = 0.5
"""Longest silence of one sentinel, before the next is asked."""
CLUSTER = (
    "EXPLAINERY_REDIS_URL names a node of a Redis Cluster, which is not supported: Celery has no broker for it. "
    "Use one server, or several under Sentinel."
)


class ClusterRefused(ClusterError):
    """The server is a node of a Redis Cluster."""


_BY_CLASS: dict[type[ResponseError], str] = {
    OutOfMemoryError: "Redis is full; wait for results to expire, or give it more memory.",
    ReadOnlyError: "This Redis is a replica; point redis_url at the primary.",
    MasterDownError: "This Redis is a replica without a primary; try again soon.",
    ClusterDownError: CLUSTER,
    ClusterCrossSlotError: CLUSTER,
    MovedError: CLUSTER,
}
_BY_WORD = {
    "MISCONF": "Redis cannot write its log to disk; free some space.",
    "NOREPLICAS": "Redis has too few replicas to accept writes.",
    "BUSY": "Redis is busy with a script; try again soon.",
}


def connect(settings: Settings) -> Redis:
    """A client for `settings.redis_url` that gives bytes. Nothing is sent before its first command.

    A refused or broken connection is tried again for about 1.5 s, a restart of Redis: every step may be said twice. Silence is
    not tried again: it has cost `SOCKET_TIMEOUT_S` already. Raises SettingsInvalid for a URL that cannot be read.
    """
    patience = Retry(ExponentialBackoff(cap=0.5, base=0.025), 6, supported_errors=(Unreachable,))
    return _client(settings.redis_url, SOCKET_TIMEOUT_S, patience)


def trouble(url: str, timeout_s: float = 1.0) -> str | None:
    """Ask once whether Redis answers a PING (not while it is loading its data); None, or what is wrong."""
    try:
        with store_errors(), _client(url, timeout_s, Retry(NoBackoff(), 0)) as client:
            client.ping()
    except StoreUnavailable as error:
        return error.detail
    return None


def refuse_cluster(redis: Redis) -> None:
    """Raise SettingsInvalid when the server is a node of a Redis Cluster. One that does not answer now is given time."""
    try:
        redis.ping()
    except ClusterRefused:
        raise SettingsInvalid(CLUSTER) from None
    except RedisError:
        return


def _client(url: str, timeout_s: float, retry: Retry) -> Redis:
    options: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": min(timeout_s, 2.0),
        "socket_keepalive": True,
        "health_check_interval": 10,
        "retry": retry,
        "redis_connect_func": _greet,
    }
    named = sentinels(url)
    if named is None:
        return Redis.from_url(url, **options)
    who = {"db": named.db, "username": named.username, "password": named.password}
    found: Any = _Sentinels(named)  # redis-py leaves it untyped
    primary: Redis = found.master_for(named.service, **options, **who)
    return primary


def _greet(connection: Any) -> None:
    """Begin a connection; a node of a cluster is refused here, once, so that no command finds out half-way."""
    connection.on_connect_check_health(check_health=False)  # redis-py connects from its health check: it would never come back
    connection.send_command("INFO", "cluster", check_health=False)
    try:
        about = connection.read_response()
    except ResponseError:
        return  # a server that keeps it to itself
    if "cluster_enabled:1" in (about.decode() if isinstance(about, bytes) else str(about)):
        raise ClusterRefused(CLUSTER)


class _Sentinels(Sentinel):
    """Asks one sentinel after another, each once and not for long."""

    def __init__(self, named: Sentinels) -> None:
        own = {"socket_timeout": SENTINEL_S, "socket_connect_timeout": SENTINEL_S, "retry": Retry(NoBackoff(), 0)}
        if named.sentinel_password is not None:
            own["password"] = named.sentinel_password
        super().__init__(named.hosts, sentinel_kwargs=own)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
        self._one_at_a_time = threading.Lock()

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Where the primary is. One thread at a time: redis-py moves the sentinel that answered to the front of its list."""
        with self._one_at_a_time:
            place: tuple[str, int] = super().discover_master(service_name)  # type: ignore[no-untyped-call]  # as above
            return place


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn failures of Redis, not of the caller, into StoreUnavailable. Usable as a decorator."""
    try:
        yield
    except ClusterRefused as error:
        raise StoreUnavailable(CLUSTER) from error
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
