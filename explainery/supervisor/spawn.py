"""Starting a process that is tied to this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from explainery.supervisor import tether


def spawn(
    command: Sequence[str],
    environment: Mapping[str, str],
    log_file: Path,
    orphan_signal: signal.Signals,
    *,
    fds: Sequence[int] = (),
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own (Ctrl-C reaches only the supervisor), writing to `log_file`.

    The kernel sends it `orphan_signal` when this process dies. `fds` are descriptors it inherits.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    shim = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), str(int(orphan_signal))]
    with log_file.open("ab") as log:
        return subprocess.Popen(  # noqa: S603  our own command lines
            [*shim, *command],
            env={**os.environ, **environment},
            stdin=stdin,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=tuple(fds),
        )
