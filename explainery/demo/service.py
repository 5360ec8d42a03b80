"""`explainery up` as a child process, for as long as the demo lasts."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from explainery.demo.models import FACTORIES
from explainery.settings import Settings
from explainery.supervisor import tether

START_S = 120.0
_PATIENCE_S = 60.0


class NotStarted(Exception):
    """The service did not come up; the message says what it said."""


@dataclass(frozen=True)
class Service:
    """A running service."""

    url: str
    process: subprocess.Popen[str]


@contextmanager
def running(settings: Settings, repository: Path) -> Iterator[Service]:
    """Start `explainery up` on the demo's models, wait until it is ready, and end it afterwards.

    Raises NotStarted with the end of its log when it does not get ready.
    """
    log_file = settings.home / "demo" / "up.log"
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("w", encoding="utf-8") as log:
        command = [*_tied_to_us(), sys.executable, "-m", "explainery", "up"]
        environment = {**os.environ, **_environment(settings, repository)}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)  # noqa: S603
    try:
        yield Service(_url(process, log_file), process)
    finally:
        _end(process)


def _tied_to_us() -> list[str]:
    """What stands before a command so that it is asked to end when this process dies, however it dies."""
    return [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), str(int(signal.SIGTERM))]


def _environment(settings: Settings, repository: Path) -> dict[str, str]:
    factories = ",".join([*settings.factories, FACTORIES])
    port = settings.port if _free(settings.host, settings.port) else 0
    return {
        "EXPLAINERY_HOME": str(settings.home),
        "EXPLAINERY_MODELS": str(repository),
        "EXPLAINERY_FACTORIES": factories,
        "EXPLAINERY_PORT": str(port),
        # the demo has just made its models itself: a trial of each would only delay the first answers
        "EXPLAINERY_TRIALS": os.environ.get("EXPLAINERY_TRIALS", "0"),
    }


def _url(process: subprocess.Popen[str], log_file: Path) -> str:
    """Read until the line `ready <url>`."""
    deadline = time.monotonic() + START_S
    with selectors.DefaultSelector() as selector:
        assert process.stdout is not None  # noqa: S101  it is a pipe
        selector.register(process.stdout, selectors.EVENT_READ)
        while (left_s := deadline - time.monotonic()) > 0:
            if not selector.select(left_s):
                continue
            line = process.stdout.readline()
            if line.startswith("ready "):
                return line.removeprefix("ready ").strip()
            if not line:
                break
    said = log_file.read_text(encoding="utf-8")[-2000:].strip()
    raise NotStarted(f"explainery up did not get ready. Its log, {log_file}, ends:\n{said}")


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
