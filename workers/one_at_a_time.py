"""One at a time on this host: what is dear and done by one process at once, whoever else wants to."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LOOK_S = 0.05


@contextmanager
def one_at_a_time(lock: Path, stop: Callable[[], bool] | None = None) -> Iterator[bool]:
    """Wait for the lock file, which is made if need be, and hold it; False when `stop` said so first.

    A process that dies lets go of it.
    """
    lock = lock.expanduser()
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        yield _locked(descriptor, stop)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, stop: Callable[[], bool] | None) -> bool:
    if stop is None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return True
    while not stop():
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOOK_S)
        else:
            return True
    return False
