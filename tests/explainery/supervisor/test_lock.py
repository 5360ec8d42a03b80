from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from explainery.supervisor.failures import CannotStart
from explainery.supervisor.lock import hold


def test_a_second_holder_is_refused_with_the_pid_of_the_first(tmp_path: Path):
    held = hold(tmp_path / "run" / "lock", "taken")
    with pytest.raises(CannotStart, match=rf"taken \(process {os.getpid()}\)"):
        hold(tmp_path / "run" / "lock", "taken")
    os.close(held)
    os.close(hold(tmp_path / "run" / "lock", "taken"))


def test_patience_waits_for_the_former_holder(tmp_path: Path):
    code = f"""
from pathlib import Path
from explainery.supervisor.lock import hold
hold(Path({str(tmp_path / "lock")!r}), "taken")
print("held", flush=True)
input()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        begun = time.monotonic()
        with pytest.raises(CannotStart):
            hold(tmp_path / "lock", "taken", patience_s=0.2)
        assert time.monotonic() - begun >= 0.2
        holder.kill()  # the kernel frees the lock, nobody has to clean up
        os.close(hold(tmp_path / "lock", "taken", patience_s=5.0))


def test_a_child_given_the_descriptor_keeps_the_lock(tmp_path: Path):
    held = hold(tmp_path / "lock", "taken")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(held,)) as child:
        os.close(held)
        with pytest.raises(CannotStart):
            hold(tmp_path / "lock", "taken")
        child.kill()
        child.wait()
        os.close(hold(tmp_path / "lock", "taken"))
