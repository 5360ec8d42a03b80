"""Ports of this machine: taking one, and finding a free one."""

from __future__ import annotations

import errno
import socket

from explainery.supervisor.failures import CannotStart

_BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on `host`; port 0 takes a free one.

    The supervisor opens it and the API inherits it, so a busy port is known before anything is started, and connections wait
    in line while the API restarts. Raises CannotStart.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise CannotStart(_reason(host, port, error)) from None


def address(listener: socket.socket) -> str:
    """`http://host:port` of a listening socket, as a client of this machine reaches it."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  read, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_free(host: str, port: int) -> bool:
    """Whether `port` can be taken right now."""
    try:
        with socket.create_server((host, port)):
            return True
    except OSError:
        return False


def free_port(host: str = "127.0.0.1") -> int:
    """A port that was free a moment ago."""
    with socket.create_server((host, 0)) as probe:
        return int(probe.getsockname()[1])


def _reason(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is busy: stop what listens there, or set EXPLAINERY_PORT (0 takes a free one)"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"Port {port} may not be taken by this user: set EXPLAINERY_PORT to one above 1023"
    return f"Cannot listen on {host}, port {port}: {error.strerror}; check EXPLAINERY_HOST"
