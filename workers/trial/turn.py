"""One trial at a time on a host: the workers of one user take turns by a lock on a file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from workers.one_at_a_time import one_at_a_time


def turn(stop: Callable[[], bool]) -> AbstractContextManager[bool]:
    """Wait for this process's turn, which ends with the block, or with the process. False when `stop` said so first."""
    return one_at_a_time(Path(tempfile.gettempdir()) / f"explainery-trial-{os.getuid()}.lock", stop)
