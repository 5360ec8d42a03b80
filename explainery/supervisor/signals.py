"""Signals as something a loop can wait for."""

from __future__ import annotations

import os
import select
import signal
from types import FrameType, TracebackType

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


class Signals:
    """Counts requests to stop and wakes the loop when one arrives or a child dies. Main thread only.

    `stops`: 0 go on, 1 stop in good order, more: at once. SIGQUIT, as at a database, is a request that will not wait.
    """

    def __init__(self) -> None:
        self.stops = 0
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Signals:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in STOPPING:
            self._before[number] = signal.signal(number, self._stop)
        # SIGCHLD must have a handler, or it does not reach the wake-up pipe.
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda number, frame: None)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal itself returned
        os.close(self._reader)
        os.close(self._writer)

    def wait(self, timeout_s: float) -> None:
        """Return after `timeout_s`, or at once when a signal came."""
        if select.select([self._reader], [], [], max(timeout_s, 0.0))[0]:
            while _drained(self._reader):
                pass

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stops += 2 if number == signal.SIGQUIT else 1


def _drained(reader: int) -> bytes:
    try:
        return os.read(reader, 4096)
    except BlockingIOError:
        return b""
