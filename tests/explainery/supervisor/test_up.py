"""`explainery up`, whole: what it prints, what it survives, how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pytest

from explainery import Client
from explainery.contract.job import JobState
from explainery.supervisor.understudy import Understudy

CHILDREN = ("redis", "worker-1", "service", "courier", "coordinator")
WEIGHTS = np.array([1.0, 2.0, 3.0])


def test_a_whole_life(start_up, until, alive, tmp_path):
    up = start_up(EXPLAINERY_GRACE_S="0.5")
    pids = {name: up.pid(name) for name in CHILDREN}
    assert all(map(alive, pids.values()))
    assert httpx.get(f"{up.url}/readyz").status_code == 200
    until(lambda: "rehearsed" in (tmp_path / "logs" / "understudy.log").read_text())
    with Client(up.url) as client:
        # A worker is killed in the middle of a job: the job runs again within 5 s, and one result is published.
        rows = np.random.default_rng(0).normal(size=(12, 3))
        job = client.submit("slow", rows, "exact_shapley", target=None, baseline="zeros")
        until(lambda: client.job(job.id).status is JobState.RUNNING)
        os.kill(pids["worker-1"], signal.SIGKILL)
        killed_at = time.monotonic()
        until(lambda: (again := client.job(job.id)).status is JobState.RUNNING and again.attempts == 2)
        assert time.monotonic() - killed_at < 5.0
        assert client.wait(job, timeout_s=60).attempts == 2
        np.testing.assert_allclose(client.result(job).attributions["x"], rows * WEIGHTS, atol=1e-9)
        # Redis is killed: what was accepted is still there.
        waiting = client.submit("slow", rows[:2], "exact_shapley", target=None, baseline="zeros")
        os.kill(pids["redis"], signal.SIGKILL)
        assert client.wait(waiting, timeout_s=60).status is JobState.SUCCEEDED
        assert client.job(job.id).status is JobState.SUCCEEDED
        # The API is killed: connections wait in line for its successor.
        servers = _children(pids["service"])
        os.kill(pids["service"], signal.SIGKILL)
        assert client.job(job.id).status is JobState.SUCCEEDED
        until(
            lambda: not any(map(alive, servers))
        )  # they still answer for a moment, and may break off what must not be sent twice
        unfinished = client.submit("slow", np.ones((100, 3)), "exact_shapley", target=None)
        until(lambda: client.job(unfinished.id).status is JobState.RUNNING)
    os.kill(pids["courier"], signal.SIGKILL)
    until(lambda: not alive(pids["courier"]) and alive(up.pid("courier")))
    os.kill(pids["coordinator"], signal.SIGKILL)
    until(lambda: not alive(pids["coordinator"]) and alive(up.pid("coordinator")))
    assert all(up.pid(name) != pid for name, pid in pids.items())
    children = [up.pid(name) for name in CHILDREN]
    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(timeout=30) == 0
    assert not any(map(alive, children))
    assert up.process.stdout is not None
    assert up.process.stdout.read() == ""  # one line, `ready`, was all it said
    assert not list((tmp_path / "run").glob("*.pid"))
    # The next run knows every job, and takes the unfinished one up again.
    with Client(start_up().url) as client:
        assert client.job(job.id).status is JobState.SUCCEEDED
        until(lambda: client.job(unfinished.id).status is JobState.RUNNING)
        client.cancel(unfinished)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_nothing_outlives_a_killed_up(start_up, until, alive):
    up = start_up()
    until((up.home / "run" / "understudy.pid").exists)
    children = [up.pid(name) for name in (*CHILDREN, "understudy")]
    again = _up_again(up.home)
    assert again.returncode == 4
    assert f"already running on {up.home} (process {up.process.pid})" in again.stderr
    up.process.kill()
    until(lambda: not any(map(alive, children)))
    assert httpx.get(f"{start_up().url}/readyz").status_code == 200  # the home is free for the next


def test_a_redis_of_ones_own_is_used(start_up, redis_url):
    up = start_up(EXPLAINERY_REDIS_URL=redis_url)
    assert not (up.home / "run" / "redis.pid").exists()
    assert not (up.home / "redis").exists()
    assert httpx.get(f"{up.url}/readyz").status_code == 200


def test_a_service_that_cannot_start_says_its_last_words(tmp_path):
    said = _up_again(tmp_path, GUNICORN_CMD_ARGS="--nonsense")
    assert said.returncode == 4
    assert said.stdout == ""
    assert "service keeps ending at the start" in said.stderr
    assert "--nonsense" in said.stderr
    assert not list((tmp_path / "run").glob("*.pid"))


def test_an_understudy_takes_the_part_and_a_dead_one_does_not(tmp_path, until, alive):
    from explainery.supervisor.child import Launch

    clock = [0.0]
    understudy = Understudy(tmp_path, ("json",), {}, lambda: clock[0])
    (tmp_path / "run").mkdir()
    understudy.tend()
    pid = int((tmp_path / "run" / "understudy.pid").read_text())
    report = ["-m", "celery", "report"]
    part = Launch([sys.executable, *report], {"EXPLAINERY_TOLD": "yes"}, "worker-1-x")
    process = understudy.take(part, tmp_path / "worker-1.log")
    assert process is not None
    assert process.pid == pid
    assert process.wait(timeout=30) == 0
    assert "software -> celery" in (tmp_path / "worker-1.log").read_text()
    assert understudy.take(part, tmp_path / "worker-1.log") is None  # nobody waits now
    understudy.tend()
    assert understudy.due_s > 0  # the worker that started needs the processor first
    clock[0] = 60.0
    understudy.tend()
    waiting = int((tmp_path / "run" / "understudy.pid").read_text())
    os.kill(waiting, signal.SIGKILL)
    until(lambda: not alive(waiting))
    assert understudy.take(part, tmp_path / "worker-1.log") is None
    understudy.tend()
    understudy.end()
    assert not (tmp_path / "run" / "understudy.pid").exists()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _up_again(home, **settings: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from explainery.cli.main import main; main()", "up"]
    environment = {**os.environ, "EXPLAINERY_HOME": str(home), "EXPLAINERY_PORT": "0", **settings}
    return subprocess.run(program, capture_output=True, text=True, env=environment, timeout=120, check=False)
