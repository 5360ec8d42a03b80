"""`explainery up`: Redis, then workers, then the API; kept alive until a signal ends them in reverse."""

from __future__ import annotations

import logging
import signal
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from explainery.settings import Settings, variable
from explainery.supervisor import embedded_redis
from explainery.supervisor.child import Child, Launch, Role
from explainery.supervisor.claims import Claims
from explainery.supervisor.commands import (
    coordinator_command,
    courier_command,
    service_command,
    worker_command,
    worker_environment,
    worker_identity,
)
from explainery.supervisor.failures import CannotStart
from explainery.supervisor.keeper import Keeper
from explainery.supervisor.lock import hold
from explainery.supervisor.ports import address, listen
from explainery.supervisor.readiness import answers_redis, is_ready
from explainery.supervisor.signals import Signals
from explainery.supervisor.understudy import Understudy

log = logging.getLogger(__name__)

_LOOK_S = 0.2
_REDIS_START_S = 60.0  # a long log of writes takes its time to be read
_HOPELESS_DEATHS = 5
_SLOW_S = 30.0


def up(settings: Settings, announce: Callable[[str], None]) -> None:
    """Run the whole service until SIGTERM or Ctrl-C; `announce` is given `ready http://host:port` once.

    Raises CannotStart when the port is busy, another `up` owns the home, there is no Redis, or a child keeps dying.
    """
    hold(settings.home / "run" / "up.lock", f"`explainery up` is already running on {settings.home}")
    _sweep(settings.home / "run")
    with listen(settings.host, settings.port) as listener, Signals() as signals:
        _Run(settings, listener, signals, announce).run()


class _Run:
    """One run, from the first child to the last."""

    def __init__(self, settings: Settings, listener: socket.socket, signals: Signals, announce: Callable[[str], None]) -> None:
        self._settings = settings
        self._listener = listener
        self._signals = signals
        self._announce = announce
        self._keeper = Keeper(settings.home, signals)
        self._stages: list[list[Child]] = []

    def run(self) -> None:
        """Start everything, keep it alive, stop everything."""
        try:
            redis_url = self._settings.redis_url or self._start_redis()
            if not self._signals.stops:
                self._serve(redis_url)
        finally:
            log.info("stopping")
            self._listener.close()
            for stage in reversed(self._stages):
                self._keeper.stop(stage)

    def _start(self, roles: Sequence[Role]) -> None:
        stage: list[Child] = []
        self._stages.append(stage)
        stage.extend(self._keeper.start(role) for role in roles)

    def _start_redis(self) -> str:
        redis = embedded_redis.prepare(self._settings.home)
        self._start([redis.role])
        self._watch(lambda: answers_redis(redis.url), _REDIS_START_S)
        return redis.url

    def _serve(self, redis_url: str) -> None:
        claims = Claims(self._settings, redis_url)
        environment = worker_environment(self._settings, redis_url, worker_identity("understudy"))
        understudy = Understudy(self._settings.home, ("workers",), environment)
        self._start(worker_roles(self._settings, redis_url, claims, understudy))
        self._start(
            [service_role(self._settings, redis_url, self._listener), courier_role(redis_url), coordinator_role(redis_url)]
        )
        understudy.tend()
        claims.warm_up()
        try:
            self._keep(claims, understudy)
        finally:
            understudy.end()

    def _keep(self, claims: Claims, understudy: Understudy) -> None:
        base_url = address(self._listener)
        slow = Reminder(_SLOW_S, f"not ready yet; {base_url}/readyz says what is missing, {self._settings.home / 'logs'} why")
        self._watch(lambda: is_ready(base_url) or slow.remind())
        if not self._signals.stops:
            self._announce(f"ready {base_url}")
        while not self._signals.stops:
            wait_s = self._keeper.look()
            claims.settle()
            understudy.tend()
            self._signals.wait(min(wait_s, claims.due_s, understudy.due_s))

    def _watch(self, reached: Callable[[], bool], limit_s: float = float("inf")) -> None:
        """Keep the children alive until `reached`, or a request to stop. Raises CannotStart when that is hopeless."""
        end = time.monotonic() + limit_s
        while not self._signals.stops and not reached():
            wait_s = self._keeper.look()
            failing = self._keeper.struggling(_HOPELESS_DEATHS)
            if failing is not None or time.monotonic() > end:
                raise CannotStart(_despair(failing, self._settings.home))
            self._signals.wait(min(wait_s, _LOOK_S))


class Reminder:
    """Says the same thing every so often."""

    def __init__(self, every_s: float, text: str) -> None:
        self._every_s = every_s
        self._text = text
        self._due_at = time.monotonic() + every_s

    def remind(self) -> bool:
        """Say it if it is time. Never true, so that it can stand in a condition."""
        if time.monotonic() >= self._due_at:
            log.warning(self._text)
            self._due_at = time.monotonic() + self._every_s
        return False


def worker_roles(settings: Settings, redis_url: str, claims: Claims, understudy: Understudy) -> list[Role]:
    """The workers to keep alive."""

    def role(name: str) -> Role:
        def launch() -> Launch:
            identity = worker_identity(name)
            return Launch(
                worker_command(identity, settings.log_level), worker_environment(settings, redis_url, identity), identity
            )

        # A worker gives back what it cannot finish in its grace; one that does not is killed, and its claims are given back.
        return Role(
            name,
            launch,
            patience_s=settings.grace_s + 3.0,
            orphan_signal=signal.SIGKILL,
            on_death=claims.give_back,
            stand_in=understudy.take,
        )

    return [role(f"worker-{number}") for number in range(1, settings.workers + 1)]


def service_role(settings: Settings, redis_url: str, listener: socket.socket) -> Role:
    """The API; it inherits the socket, so connections wait while it restarts."""
    launch = Launch(
        service_command(f"fd://{listener.fileno()}"),
        {variable("redis_url"): redis_url, variable("port"): str(listener.getsockname()[1])},
        identity="service",
        fds=(listener.fileno(),),
    )
    # SIGQUIT is gunicorn's quick end: nobody is left whom a long poll could answer.
    return Role("service", lambda: launch, patience_s=5.0, orphan_signal=signal.SIGQUIT)


def courier_role(redis_url: str) -> Role:
    """The courier of webhooks. What it has in hand when it ends is delivered by its successor."""
    launch = Launch(courier_command(), {variable("redis_url"): redis_url}, identity="courier")
    return Role("courier", lambda: launch, patience_s=3.0)


def coordinator_role(redis_url: str) -> Role:
    """The coordinator of batches. Its successor goes on where it was."""
    launch = Launch(coordinator_command(), {variable("redis_url"): redis_url}, identity="coordinator")
    return Role("coordinator", lambda: launch, patience_s=3.0)


def _sweep(run: Path) -> None:
    """Remove pid files of a run that was killed: those processes died with it."""
    for stale in run.glob("*.pid"):
        stale.unlink()


def _despair(failing: Child | None, home: Path) -> str:
    if failing is None:
        return f"Redis did not answer in {_REDIS_START_S:.0f} s; see {home / 'logs' / 'redis.log'}"
    lines = failing.log_file.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
    ending = "\n  ".join(line[:300] for line in lines)
    return f"{failing.role.name} keeps ending at the start. Its last words ({failing.log_file}):\n  {ending}"
