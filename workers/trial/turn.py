"""One trial at a time on a host: the workers of one user take turns by a lock on a file."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LOOK_S = 0.05


@contextmanager
def turn(stop: Callable[[], bool]) -> Iterator[bool]:
    """Wait for this process's turn, which ends with the block, or with the process. False when `stop` said so first."""
    path = Path(tempfile.gettempdir()) / f"explainery-trial-{os.getuid()}.lock"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        yield _locked(file, stop)
    finally:
        os.close(file)


def _locked(file: int, stop: Callable[[], bool]) -> bool:
    while not stop():
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOOK_S)
        else:
            return True
    return False
