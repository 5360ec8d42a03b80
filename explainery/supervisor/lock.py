"""One owner at a time: a lock file that the kernel frees when its last holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from explainery.supervisor.failures import CannotStart

_POLL_S = 0.05


def hold(path: Path, refusal: str, patience_s: float = 0.0) -> int:
    """Take the lock and return its descriptor: the lock lasts until every copy of it is closed.

    A child that is given the descriptor holds the lock too. Raises CannotStart with `refusal` and the owner's pid when somebody
    else still holds it after `patience_s`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    end = time.monotonic() + patience_s
    while not _locked(descriptor):
        if time.monotonic() >= end:
            owner = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise CannotStart(f"{refusal} (process {owner or 'unknown'})")
        time.sleep(_POLL_S)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
    return descriptor


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
