"""The limits, put on in a process of their own: each is met, and what is allowed stays so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BEGIN = """
import os, sys
from explainery.settings import Settings
from workers.trial.cage import close, cut_off
cut_off()
close(Settings(trial_bytes=256 << 20, trial_cpu_s=1.0, trial_s=20.0))
"""


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-P", "-c", BEGIN + code]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


REFUSED = {
    "a socket": "import socket; socket.socket()",
    "a name to look up": "import socket; socket.getaddrinfo('localhost', 80)",
    "a process": "import subprocess; subprocess.run(['true'])",
    "a shell": "os.system('touch marker')",
    "a fork": "os.fork()",
    "a new file": "open('marker', 'w')",
    "a new file by its descriptor": "os.open('marker', os.O_WRONLY | os.O_CREAT)",
    "a file taken away": "os.remove('kept')",
    "a file moved": "os.rename('kept', 'marker')",
    "a folder": "os.mkdir('marker')",
    "a link": "os.symlink('kept', 'marker')",
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_model_has_no_business_with(tmp_path: Path, what: str) -> None:
    (tmp_path / "kept").write_text("kept")
    done = run(REFUSED[what], tmp_path)
    assert done.returncode == 1
    assert "PermissionError" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_reading_and_computing_are_allowed(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    done = run("import json; open(os.devnull, 'w'); print(open('kept').read())", tmp_path)
    assert (done.returncode, done.stdout) == (0, "kept\n"), done.stderr


def test_memory_has_an_end(tmp_path: Path) -> None:
    done = run("print(len(bytes(128 << 20)))\nbytes(1 << 30)", tmp_path)
    assert done.stdout == f"{128 << 20}\n"
    assert "MemoryError" in done.stderr


def test_cpu_time_has_an_end(tmp_path: Path) -> None:
    assert run("while True: pass", tmp_path).returncode == -24  # SIGXCPU


def test_nothing_of_the_network_is_left(tmp_path: Path) -> None:
    """Where the system lets a process leave the network, not even the loopback interface is up."""
    done = run("print(os.readlink('/proc/self/ns/net'), open('/proc/self/net/dev').read().count(':'))", tmp_path)
    inside, interfaces = done.stdout.split()
    if inside == str(Path("/proc/self/ns/net").readlink()):
        pytest.skip("this system does not let a process leave the network")
    assert int(interfaces) == 1
