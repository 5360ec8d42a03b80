"""One trial, from its parcel to its verdict: real children on real files."""

from __future__ import annotations

import dataclasses
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import repos

from explainery.contract.errors import ResourceExhausted
from explainery.settings import Settings
from workers.repository import Repository
from workers.trial import parcel
from workers.trial.hold import Heard, environment, hold, verdict_of

SETTINGS = dataclasses.replace(Settings(), factories=("nets",))


def files_of(folder: Path, name: str = "m") -> dict[str, bytes]:
    repository = Repository(str(folder))
    return repository.files(name, 1, repository.find(name, 1).digest)[1]


def test_a_good_model_passes_with_what_was_measured(tmp_path: Path) -> None:
    repos.add_onnx_linear(tmp_path, "m", np.ones((4, 1)))
    verdict = hold(SETTINGS, files_of(tmp_path))
    assert (verdict.refused, set(verdict.cannot)) == (None, {"trees"})
    assert verdict.parity is not None
    assert verdict.parity < 1e-6
    assert verdict.need_bytes is not None


def test_a_trial_that_is_late_is_ended(tmp_path: Path) -> None:
    """A factory that sleeps uses no CPU time: only the clock on the wall ends it."""
    (tmp_path / "sleepers.py").write_text("import time\ndef build():\n    time.sleep(600)\n")
    card = 'title = "m"\nformat = "safetensors"\nfile = "m.safetensors"\nfactory = "sleepers:build"\n'
    files = {"m.safetensors": b""}
    repos.write(tmp_path, "m", f"{card}{repos.tensor_input('input', [4])}{repos.output(1)}", files)
    sys.path.insert(0, str(tmp_path))
    try:
        verdict = hold(dataclasses.replace(SETTINGS, factories=("sleepers",), trial_s=0.5), files_of(tmp_path))
    finally:
        sys.path.remove(str(tmp_path))
    assert verdict.refused == (
        "The model is not taken in: its trial ran longer than 0.5 s. If that is right for this model, raise EXPLAINERY_TRIAL_S."
    )


def test_a_trial_that_is_stopped_says_nothing_about_the_model(tmp_path: Path) -> None:
    repos.add_onnx_linear(tmp_path, "m", np.ones((4, 1)))
    with pytest.raises(ResourceExhausted, match="could not be tried"):
        hold(SETTINGS, files_of(tmp_path), lambda: True)


def test_a_child_does_not_outlive_its_worker(tmp_path: Path) -> None:
    """The worker is killed in the middle of a trial; the child, which waits for its parcel, goes with it."""
    code = (
        "import os, subprocess, sys, time\n"
        "read, write = os.pipe()\n"
        "child = subprocess.Popen([sys.executable, '-P', '-m', 'workers.trial'], stdin=read, stdout=subprocess.DEVNULL)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    path = os.pathsep.join(entry for entry in sys.path if entry)
    command, env = [sys.executable, "-c", code], {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        child = int(worker.stdout.readline())
        until(lambda: _imported(child))
        worker.kill()
    until(lambda: not Path(f"/proc/{child}").exists() or _zombie(child))


def _imported(pid: int) -> bool:
    """Whether the child has come as far as NumPy, which is after it was tied to its parent."""
    try:
        return "numpy" in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    except OSError:
        return False


def _zombie(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return True


def until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_how_an_end_is_read() -> None:
    begun = Heard(b"ready\n")
    assert "computed for longer than 60 s" in str(verdict_of(begun, -signal.SIGXCPU, Settings()).refused)
    assert "ended its process with SIGSEGV" in str(verdict_of(begun, -signal.SIGSEGV, Settings()).refused)
    assert "ended its process with status 3" in str(verdict_of(Heard(b"ready\nnonsense"), 3, Settings()).refused)
    with pytest.raises(ResourceExhausted, match="ended with status 1 before it began"):
        verdict_of(Heard(), 1, Settings())


def test_a_reason_is_short_and_printable() -> None:
    said = Heard(b'ready\n{"refused": "' + b"\\u001b[2J" + b"x" * 900 + b'"}')
    reason = verdict_of(said, 0, Settings()).refused
    assert reason is not None
    assert len(reason) == 500
    assert reason.isprintable()


def test_no_secret_is_handed_over() -> None:
    ours = {"PATH": "p", "EXPLAINERY_REDIS_URL": "r", "AWS_SECRET_ACCESS_KEY": "a", "HF_TOKEN": "t", "db_password": "d"}
    told = environment(ours)
    assert set(told) == {"PATH", "PYTHONPATH", "OMP_NUM_THREADS", "MALLOC_ARENA_MAX", "CUDA_VISIBLE_DEVICES"}
    assert "redis_url" not in parcel.HANDED


def test_a_parcel_comes_out_as_it_went_in() -> None:
    stream, files = io.BytesIO(), {"card.toml": b"card", "a/b.bin": bytes(range(256)), "empty": b""}
    settings = dataclasses.replace(Settings(), factories=("a", "b"), trial_bytes=7, redis_url="redis://:secret@host")
    parcel.write(stream, settings, files)
    assert b"secret" not in stream.getvalue()
    stream.seek(0)
    read, given = parcel.read(stream)
    assert given == files
    assert (read.factories, read.trial_bytes, read.device, read.threads) == (("a", "b"), 7, "cpu", 1)
