"""One child process: its command, its log, its pid file."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from explainery.supervisor.spawn import spawn

_LOG_LIMIT_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Launch:
    """One start of a child. `identity` is new each time; `fds` are descriptors it inherits."""

    command: list[str]
    env: Mapping[str, str] = field(default_factory=dict)
    identity: str = ""
    fds: tuple[int, ...] = ()


def _nothing(launch: Launch, lost: str | None) -> None:
    """Do nothing about a death."""


def _nobody(launch: Launch, log_file: Path) -> subprocess.Popen[bytes] | None:
    """Nobody waits to take the part."""
    return None


@dataclass(frozen=True)
class Role:
    """What a child is there for; `launch` is asked anew at every start.

    `patience_s`: how long it may take to end after SIGTERM; `hurried_s`: after a second request to stop. `orphan_signal`: what
    the kernel sends it when the supervisor dies. `on_death`: called after each death, with how it died if that was unexpected.
    `stand_in`: gives a process that takes the part at once, if there is one.
    """

    name: str
    launch: Callable[[], Launch]
    patience_s: float = 10.0
    hurried_s: float = 0.0
    orphan_signal: signal.Signals = signal.SIGKILL
    on_death: Callable[[Launch, str | None], None] = _nothing
    stand_in: Callable[[Launch, Path], subprocess.Popen[bytes] | None] = _nobody


class Child:
    """A role's process. Logs go to `<home>/logs/<name>.log`, the pid to `<home>/run/<name>.pid`."""

    def __init__(self, role: Role, home: Path) -> None:
        self.role = role
        self.log_file = home / "logs" / f"{role.name}.log"
        self.pid_file = home / "run" / f"{role.name}.pid"
        self.launch: Launch | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process, or let one that waits for it take the part."""
        self.launch = self.role.launch()
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        self.pid_file.parent.mkdir(parents=True, exist_ok=True)
        rotate(self.log_file)
        taken = self.role.stand_in(self.launch, self.log_file)
        self._process = taken or spawn(
            self.launch.command, self.launch.env, self.log_file, self.role.orphan_signal, fds=self.launch.fds
        )
        write_pid(self.pid_file, self._process.pid)

    @property
    def pid(self) -> int | None:
        """The pid while it is or was running."""
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        """Whether it runs. A dead one stays unburied, so that its process group cannot be anybody else's yet."""
        if self._process is None or self._process.returncode is not None:
            return False
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return self._process.poll() is None
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def terminate(self) -> None:
        """Ask it to end."""
        if self._process is not None and self.alive:
            self._process.terminate()

    def kill(self) -> int:
        """End it and everything it started at once; return how it ended (negative: by that signal)."""
        if self._process is None:
            return 0
        if self._process.returncode is None:
            kill_group(self._process.pid)
        return self._process.wait()

    def forget(self) -> None:
        """Remove the pid file."""
        self.pid_file.unlink(missing_ok=True)


def kill_group(pid: int) -> None:
    """Send SIGKILL to a session's leader and to what it started (gunicorn's own workers, say)."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS answers PermissionError for a group of zombies
        return


def write_pid(path: Path, pid: int) -> None:
    """Write a pid file in one step: a reader sees a whole number or none."""
    draft = path.with_suffix(".tmp")
    draft.write_text(f"{pid}\n", encoding="ascii")
    draft.replace(path)


def rotate(log: Path) -> None:
    """Put a long log aside as `<name>.1`, in place of the one before."""
    if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(log.suffix + ".1"))
