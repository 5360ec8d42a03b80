"""Connections to remote models and webhooks: only to addresses that were checked, never longer than a request may take.

A name is resolved here, every address it has is checked, and the connection is made to one of those very addresses. So a
name that resolves to something else a moment later (DNS rebinding) is no way in. The name itself stays what TLS verifies.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import httpcore

from explainery.allowed_hosts import Address, address_of
from explainery.contract.errors import RemoteForbidden, RemoteUnavailable

_ENDS_S: ContextVar[float] = ContextVar("ends_s", default=float("inf"))
_PIECE = 2**16
"""Bytes that are sent before the time is looked at again."""
_LONGEST_S = 86400.0
"""What a socket is told to wait where nothing bounds it."""
_LOOK_S = 0.25
"""How often somebody who waits for an answer looks whether it is still wanted."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Bound all that this thread reads and writes meanwhile, together: a far side that trickles gains nothing by it."""
    token = _ENDS_S.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ENDS_S.reset(token)


def _left_s(kind: type[httpcore.TimeoutException]) -> float:
    left_s = _ENDS_S.get() - time.monotonic()
    if left_s <= 0:
        raise kind
    return min(left_s, _LONGEST_S)


class Allowed(Protocol):
    """Says which addresses may be called: an `AllowList`, for one."""

    def address(self, address: Address, port: int) -> bool:
        """Whether a connection to what a host resolved to may be made."""
        ...


class CheckedBackend(httpcore.NetworkBackend):
    """Makes connections for httpcore's pool. Raises RemoteForbidden and RemoteUnavailable besides httpcore's errors.

    `given_up`: once it is set, whoever waits for an answer gets an error instead.
    """

    def __init__(self, allowed: Allowed, given_up: threading.Event) -> None:
        self._allowed = allowed
        self._given_up = given_up
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first of the host's checked addresses that answers."""
        *others, last = resolved(host, port, self._allowed)
        for address in others:
            try:
                return self._connected(address, port, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._connected(last, port, socket_options)

    def _connected(self, address: Address, port: int, options: Iterable[Any] | None) -> httpcore.NetworkStream:
        left_s = _left_s(httpcore.ConnectTimeout)
        return _Timed(self._plain.connect_tcp(str(address), port, left_s, socket_options=options), self._given_up)


def resolved(host: str, port: int, allowed: Allowed) -> list[Address]:
    """The addresses of a host, every one of them allowed.

    Raises RemoteForbidden when one is not, RemoteUnavailable when the name is not known now.
    """
    try:
        known = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise RemoteUnavailable(f"The name {host} cannot be resolved by this worker now; check [remote] url.") from None
    texts = dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in known)
    addresses = [address for text in texts if (address := address_of(text)) is not None]
    if not addresses or not all(allowed.address(address, port) for address in addresses):
        raise RemoteForbidden(
            f"The name {host} stands for an address that is not public; such addresses are called only when "
            "EXPLAINERY_REMOTE_ALLOWED lists them too, beside the name."
        )
    return addresses


class _Timed(httpcore.NetworkStream):
    """A stream whose every step ends when the request's time is over, or nobody waits for it any more."""

    def __init__(self, inner: httpcore.NetworkStream, given_up: threading.Event) -> None:
        self._inner = inner
        self._given_up = given_up

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        while not self._given_up.is_set():
            try:
                return self._inner.read(max_bytes, min(_LOOK_S, _left_s(httpcore.ReadTimeout)))
            except httpcore.ReadTimeout:
                _left_s(httpcore.ReadTimeout)  # raises when it is over
        raise httpcore.ReadError("given up")

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _PIECE):
            self._inner.write(buffer[start : start + _PIECE], _left_s(httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secured = self._inner.start_tls(ssl_context, server_hostname, _left_s(httpcore.ConnectTimeout))
        return _Timed(secured, self._given_up)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
