"""Keeps children alive: starts them, starts them again when they die, ends them in order."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from explainery.supervisor.backoff import Backoff
from explainery.supervisor.child import Child, Role
from explainery.supervisor.signals import Signals

log = logging.getLogger(__name__)

_IDLE_S = 60.0


@dataclass
class _Charge:
    """A child and what is known of its past."""

    child: Child
    backoff: Backoff = field(default_factory=Backoff)
    started_at: float = 0.0
    due_at: float | None = None


class Keeper:
    """The children of one supervisor, in the order in which they were started. `clock` counts seconds."""

    def __init__(self, home: Path, signals: Signals, clock: Callable[[], float] = time.monotonic) -> None:
        self._home = home
        self._signals = signals
        self._clock = clock
        self._charges: list[_Charge] = []

    def start(self, role: Role) -> Child:
        """Start a child and keep it alive from now on."""
        charge = _Charge(Child(role, self._home))
        self._charges.append(charge)
        self._begin(charge)
        return charge.child

    def look(self) -> float:
        """Bury who died, start who is due; return the seconds until somebody is due."""
        now = self._clock()
        for charge in self._charges:
            if charge.due_at is None and not charge.child.alive:
                self._bury(charge, now)
            if charge.due_at is not None and charge.due_at <= now:
                self._begin(charge)
        waits = [charge.due_at - now for charge in self._charges if charge.due_at is not None]
        return max(min(waits, default=_IDLE_S), 0.0)

    def struggling(self, deaths: int) -> Child | None:
        """A child that died `deaths` times in a row, if there is one."""
        return next((charge.child for charge in self._charges if charge.backoff.deaths >= deaths), None)

    def stop(self, children: Sequence[Child]) -> None:
        """End these children: SIGTERM to all, patience, then SIGKILL. A second request to stop ends the patience."""
        mine = [charge for charge in self._charges if charge.child in children]
        self._charges = [charge for charge in self._charges if charge not in mine]
        for charge in mine:
            charge.child.terminate()
        self._await_end([charge.child for charge in mine])
        for charge in mine:
            unfinished = charge.child.alive
            if unfinished:
                log.warning("%s did not end in time and was killed", charge.child.role.name)
            charge.child.kill()
            self._mourn(charge.child, lost=None)
            charge.child.forget()

    def _await_end(self, children: Sequence[Child]) -> None:
        begun = self._clock()
        while True:
            spent = self._clock() - begun
            left = [self._patience_s(child) - spent for child in children if child.alive]
            if max(left, default=0.0) <= 0:
                return
            self._signals.wait(min(max(left), 0.5))

    def _patience_s(self, child: Child) -> float:
        return child.role.patience_s if self._signals.stops < 2 else child.role.hurried_s

    def _begin(self, charge: _Charge) -> None:
        charge.due_at = None
        charge.started_at = self._clock()
        charge.child.start()
        log.info("%s started (process %s)", charge.child.role.name, charge.child.pid)

    def _bury(self, charge: _Charge, now: float) -> None:
        child, lived_s = charge.child, now - charge.started_at
        wait_s = charge.backoff.after(lived_s)
        charge.due_at = now + wait_s
        code = child.kill()  # and whatever it started and left behind
        log.warning(
            "%s ended after %.1f s (%s), starts again in %.2g s; see %s",
            child.role.name, lived_s, _manner(code), wait_s, child.log_file,
        )  # fmt: skip
        if wait_s == 0:
            self._restart_first(charge, _manner(code))
        else:
            self._mourn(child, lost=_manner(code))

    def _restart_first(self, charge: _Charge, manner: str) -> None:
        """Start the successor before the claims are given back: it has imports to do meanwhile."""
        launch, on_death = charge.child.launch, charge.child.role.on_death
        self._begin(charge)
        if launch is not None:
            on_death(launch, manner)

    def _mourn(self, child: Child, *, lost: str | None) -> None:
        if child.launch is not None:
            child.role.on_death(child.launch, lost)


def _manner(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
