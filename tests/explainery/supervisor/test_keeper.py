"""Children are kept alive and end in order: real processes, real signals."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

SLEEPS = "import time; print('here', flush=True); time.sleep(600)"
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('deaf', flush=True)
time.sleep(600)
"""


def test_a_killed_child_is_back_at_once_under_a_new_identity(supervise, pid_of, until, alive, tmp_path):
    supervise({"worker-1": SLEEPS})
    first = pid_of("worker-1")
    begun = time.monotonic()
    os.kill(first, signal.SIGKILL)
    until(lambda: pid_of("worker-1") != first and alive(pid_of("worker-1")))
    assert time.monotonic() - begun < 2.0
    until((tmp_path / "deaths").exists)
    assert (tmp_path / "deaths").read_text() == "worker-1-0 SIGKILL\n"


def test_a_child_that_cannot_live_is_started_ever_more_rarely(supervise, until, tmp_path):
    supervise({"broken": "import sys; sys.exit(3)"})
    deaths = tmp_path / "deaths"
    begun = time.monotonic()
    until(lambda: deaths.exists() and len(deaths.read_text().splitlines()) >= 4)
    assert time.monotonic() - begun >= 0.25 + 0.5  # at once, then 0.25 s, then 0.5 s


def test_sigterm_ends_everything_in_reverse_and_exits_0(supervise, pid_of, alive, tmp_path):
    supervisor = supervise({"redis": SLEEPS, "service": SLEEPS})
    pids = [pid_of("redis"), pid_of("service")]
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(timeout=10) == 0
    assert not any(map(alive, pids))
    assert not list((tmp_path / "run").glob("*.pid"))
    assert (tmp_path / "deaths").read_text() == "service-0 None\nredis-0 None\n"


def test_a_second_signal_ends_the_patience(supervise, pid_of, until, alive, tmp_path):
    supervisor = supervise({"worker-1": STUBBORN})
    pid = pid_of("worker-1")
    until(lambda: "deaf" in (tmp_path / "logs" / "worker-1.log").read_text())
    begun = time.monotonic()
    supervisor.send_signal(signal.SIGINT)
    with pytest.raises(TimeoutError):
        _wait(supervisor, 0.5)
    assert alive(pid)
    supervisor.send_signal(signal.SIGINT)
    assert supervisor.wait(timeout=5) == 0
    assert time.monotonic() - begun < 6.0  # its patience is 8 s
    assert not alive(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_children_die_with_a_killed_supervisor(supervise, pid_of, until, alive):
    supervisor = supervise({"redis": SLEEPS, "worker-1": STUBBORN})
    pids = [pid_of("redis"), pid_of("worker-1")]
    assert all(map(alive, pids))
    supervisor.kill()
    until(lambda: not any(map(alive, pids)))


def test_what_a_child_left_behind_ends_with_it(supervise, pid_of, until, alive, tmp_path):
    code = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
open({str(tmp_path / "grandchild")!r}, "w").write(f"{{child.pid}}\\n")
time.sleep(600)
"""
    supervise({"service": code})
    leaf = tmp_path / "grandchild"
    until(lambda: leaf.exists() and leaf.read_text().endswith("\n"))
    grandchild = int(leaf.read_text())
    os.kill(pid_of("service"), signal.SIGKILL)
    until(lambda: not alive(grandchild))


def test_children_write_to_their_log_and_get_their_environment(supervise, until, tmp_path):
    supervise({"worker-1": "import os, time; print(os.environ['GREETING'], flush=True); time.sleep(600)"})
    until(lambda: (tmp_path / "logs" / "worker-1.log").read_text() == "hello\n")


def _wait(process, seconds: float) -> None:
    import subprocess

    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise TimeoutError from None


def test_a_long_log_is_put_aside(tmp_path: Path, monkeypatch):
    from explainery.supervisor import child

    monkeypatch.setattr(child, "_LOG_LIMIT_BYTES", 3)
    log = tmp_path / "worker-1.log"
    log.write_text("long")
    child.rotate(log)
    assert not log.exists()
    assert (tmp_path / "worker-1.log.1").read_text() == "long"
