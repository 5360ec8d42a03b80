"""The limits of a trial, put on by the child itself: first those that need a process without threads, then the rest.

What the operator's own code does (factories, plugins) meets the same limits. They hold against files that take too much, that
hang or that use what Python offers; native code that a file brings along is kept out by not loading code formats.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from explainery.settings import Settings

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "pty.spawn")
CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
attempts: list[str] = []
"""What was refused so far, by the name of its audit event."""
SPARE_S = 5.0
"""How much longer than its wall-clock limit a child lives that nobody ends."""


def cut_off() -> None:
    """Leave the network, be the first to go when the machine's memory ends, and end with the worker. Before any thread exists.

    Each where the system has it and allows it.
    """
    sys.dont_write_bytecode = True
    if sys.platform != "linux":
        return
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)
    libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def close(settings: Settings) -> None:
    """Put on the limits: memory and CPU time beyond what the imports took, wall clock, no network, processes or writing."""
    faulthandler.dump_traceback_later(settings.trial_s + SPARE_S, exit=True)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime + settings.trial_cpu_s) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 2))
    if mapped := _status("VmSize"):  # elsewhere the system does not say, and does not keep this limit either
        limit = mapped + settings.trial_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    sys.addaudithook(_refuse)


def peak_bytes() -> int:
    """The most memory that was resident so far; 0 where the system does not say."""
    return _status("VmHWM")


def forget_peak() -> None:
    """Let `peak_bytes` begin anew, where the system can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _status(what: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{what}:")), 0)


def _refuse(event: str, args: tuple[Any, ...]) -> None:
    """An audit hook (PEP 578): refuse as the system would, so that code which has another way takes it."""
    if event.startswith("socket.") or event in STARTS or event in CHANGES or (event == "open" and _writes(args)):
        attempts.append(event)
        raise PermissionError(f"{event} is not allowed while a model is tried")


def _writes(args: tuple[Any, ...]) -> bool:
    path, mode, flags = args
    if path == os.devnull:
        return False
    return bool((flags or 0) & WRITING) or (isinstance(mode, str) and not set(mode).isdisjoint("wax+"))
