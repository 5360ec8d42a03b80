"""Run a command that does not outlive its parent: `python tether.py <parent pid> <signal> <command> ...`.

A shim between fork and exec: it asks the Linux kernel to send `signal` to this process when its parent dies (prctl(2),
PR_SET_PDEATHSIG, which survives execve), then becomes the command, so the pid stays the child's own. Elsewhere it only becomes
the command. It runs alone, before any import path exists: standard library only.
"""

from __future__ import annotations

import os
import sys

PR_SET_PDEATHSIG = 1


def tie(signal: int) -> None:
    """Ask for `signal` when the parent dies."""
    import ctypes

    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")


def main(arguments: list[str]) -> None:
    """Tie this process to its parent and become the command."""
    parent, signal, command = int(arguments[0]), int(arguments[1]), arguments[2:]
    if sys.platform == "linux":
        tie(signal)
    if os.getppid() != parent:  # it died before it could be asked for
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606  the point of this file


if __name__ == "__main__":
    main(sys.argv[1:])
