"""A worker in waiting: its imports (torch takes seconds) are behind it, so that a dead worker is replaced in a moment."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from explainery.supervisor.child import Launch, kill_group, write_pid
from explainery.supervisor.spawn import spawn

_REST_S = 5.0
"""The next understudy is made a little after the last: the worker that just started needs the processor first."""
_PROGRAM = ("-m", "explainery.supervisor.rehearse")


class Understudy:
    """Holds at most one process in waiting. `packages`: what it imports."""

    def __init__(
        self,
        home: Path,
        packages: tuple[str, ...],
        environment: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log_file = home / "logs" / "understudy.log"
        self._pid_file = home / "run" / "understudy.pid"
        self._packages = packages
        self._environment = environment
        self._clock = clock
        self._waiting: subprocess.Popen[bytes] | None = None
        self._due_at = float("-inf")

    def tend(self) -> None:
        """Have one in waiting, if it is time for the next."""
        if self._waiting is not None and self._waiting.poll() is not None:
            self._dismiss()
        if self._waiting is None and self._clock() >= self._due_at:
            command = [sys.executable, *_PROGRAM, *self._packages]
            self._waiting = spawn(command, self._environment, self._log_file, signal.SIGKILL, stdin=subprocess.PIPE)
            write_pid(self._pid_file, self._waiting.pid)

    @property
    def due_s(self) -> float:
        """Seconds until `tend` should be called again."""
        return float("inf") if self._waiting is not None else max(self._due_at - self._clock(), 0.0)

    def take(self, launch: Launch, log_file: Path) -> subprocess.Popen[bytes] | None:
        """Give the part of a `celery worker` to the one in waiting, and return it; None when there is none.

        One that still rehearses plays as soon as it is done.
        """
        process = self._waiting
        if process is None or process.poll() is not None or process.stdin is None:
            return None
        self._waiting, self._due_at = None, self._clock() + _REST_S
        self._pid_file.unlink(missing_ok=True)
        arguments = launch.command[launch.command.index("celery") + 1 :]
        cue = {"environment": dict(launch.env), "arguments": arguments, "log": str(log_file)}
        try:
            process.stdin.write(json.dumps(cue).encode() + b"\n")
            process.stdin.close()
        except BrokenPipeError:
            process.wait()
            return None
        return process

    def end(self) -> None:
        """Dismiss the one in waiting: it has nothing in hand."""
        if self._waiting is not None:
            self._dismiss()
        self._due_at = float("inf")

    def _dismiss(self) -> None:
        process, self._waiting, self._due_at = self._waiting, None, self._clock() + _REST_S
        if process is None:
            return
        if process.returncode is None:
            kill_group(process.pid)
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
        self._pid_file.unlink(missing_ok=True)
