"""Holds a trial: starts the child, watches its clock, and reads its verdict."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from explainery.contract.catalogue import Verdict
from explainery.contract.errors import ResourceExhausted
from explainery.settings import PREFIX, Settings
from workers.trial import parcel

START_S = 120.0
"""How long a child may take to import what it needs; nothing of the model is touched by then."""
LOOK_S = 0.2
FAREWELL_S = 1.0
MOST_BYTES = 1 << 16
"""Longest answer of a child."""
LONGEST_REASON = 500
SECRETS = ("SECRET", "TOKEN", "PASSWORD", "PASSWD", "CREDENTIAL", "_KEY")


@dataclass
class Heard:
    """What a child has said, and whether it was ended for being late."""

    text: bytes = b""
    late: bool = False

    @property
    def ready(self) -> bool:
        """Whether the trial itself had begun."""
        return self.text.startswith(b"ready\n")


def hold(settings: Settings, files: Mapping[str, bytes], stop: Callable[[], bool] = lambda: False) -> Verdict:
    """Try a model's files in a child process. `stop`: asked five times a second; the child is ended when it says so.

    Raises ResourceExhausted when no trial could be held; that says nothing about the model.
    """
    with tempfile.TemporaryFile() as stream:
        parcel.write(stream, settings, files)
        stream.seek(0)
        try:
            process = _started(stream.fileno())
        except OSError as error:
            raise _not_held(f"its process did not start ({type(error).__name__})") from error
    heard = Heard(late=True)
    try:
        heard = _listen(process, settings, stop)
    finally:
        _end(process, 0.0 if heard.late else FAREWELL_S)
    return verdict_of(heard, process.returncode, settings)


def verdict_of(heard: Heard, status: int, settings: Settings) -> Verdict:
    """What a child's words and its end mean. Raises ResourceExhausted when the trial had not begun, or was stopped."""
    if not heard.ready:
        raise _not_held(f"its process ended with {_manner(status)} before it began")
    try:
        said = Verdict.model_validate_json(heard.text.removeprefix(b"ready\n"))
    except ValidationError:
        return Verdict(refused=_ended(heard, status, settings))
    return said if said.refused is None else Verdict(refused=_plain(said.refused))


def _started(parcel_file: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "workers.trial"],
        stdin=parcel_file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(os.environ),
        start_new_session=True,
    )


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What a child is told of this process's environment: no setting, nothing that is called like a secret; and our imports."""
    kept = {
        name: value
        for name, value in ours.items()
        if not name.startswith(PREFIX) and not any(word in name.upper() for word in SECRETS)
    }
    path = [os.path.abspath(entry) for entry in sys.path]  # noqa: PTH100  as the interpreter does, links left alone
    few = {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2", "CUDA_VISIBLE_DEVICES": ""}
    return {**kept, **few, "PYTHONPATH": os.pathsep.join(path)}


def _listen(process: subprocess.Popen[bytes], settings: Settings, stop: Callable[[], bool]) -> Heard:
    """Read until the child has no more to say or its time is over. The clock of the trial begins when it is ready."""
    assert process.stdout is not None  # noqa: S101  it is a pipe
    heard, ends = Heard(), time.monotonic() + START_S
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while len(heard.text) < MOST_BYTES:
            left_s = ends - time.monotonic()
            if left_s <= 0:
                heard.late = True
                break
            if stop():
                return Heard(late=True)
            if not selector.select(min(LOOK_S, left_s)):
                continue
            said = os.read(process.stdout.fileno(), MOST_BYTES)
            if not said:
                break
            was_ready = heard.ready
            heard.text += said
            if heard.ready and not was_ready:
                ends = time.monotonic() + settings.trial_s
    return heard


def _end(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """Give a child that has closed its answer a moment to end by itself, then end it and whatever it started."""
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    finally:
        if process.stdout is not None:
            process.stdout.close()


def _ended(heard: Heard, status: int, settings: Settings) -> str:
    """Why a child that had begun said no verdict."""
    if heard.late:
        return (
            f"The model is not taken in: its trial ran longer than {settings.trial_s:g} s. "
            "If that is right for this model, raise EXPLAINERY_TRIAL_S."
        )
    if status == -signal.SIGXCPU:
        return (
            f"The model is not taken in: its trial computed for longer than {settings.trial_cpu_s:g} s. "
            "If that is right for this model, raise EXPLAINERY_TRIAL_CPU_S."
        )
    return (
        f"The model is not taken in: opening or calling it ended its process with {_manner(status)}, "
        f"within {settings.trial_bytes} bytes of memory."
    )


def _manner(status: int) -> str:
    try:
        return signal.Signals(-status).name if status < 0 else f"status {status}"
    except ValueError:
        return f"signal {-status}"


def _plain(reason: str) -> str:
    """A reason that may hold names from the file: printable, and not endless."""
    short = reason if len(reason) <= LONGEST_REASON else f"{reason[: LONGEST_REASON - 1]}…"
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in short)


def _not_held(why: str) -> ResourceExhausted:
    return ResourceExhausted(
        f"The model could not be tried: {why}. See the worker's log; EXPLAINERY_TRIALS=0 does without trials."
    )
