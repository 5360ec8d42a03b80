from __future__ import annotations

import os
import subprocess
import sys

from explainery.settings import Settings
from explainery.store.bell import QUEUE
from explainery.supervisor import commands


def test_an_identity_is_new_each_time():
    assert commands.worker_identity("worker-1") != commands.worker_identity("worker-1")
    assert commands.worker_identity("worker-1").startswith("worker-1-")


def test_celery_knows_every_option_of_the_worker_command():
    command = commands.worker_command("worker-1-abc", "info")
    shown = subprocess.run([sys.executable, "-m", "celery", "worker", "--help"], capture_output=True, text=True, check=True)
    options = [part for part in command[command.index("worker") :] if part.startswith("--")]
    assert [option for option in options if option not in shown.stdout] == []
    assert command[command.index("--queues") + 1] == QUEUE


def test_threads_are_the_cores_shared_unless_set(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(8), raising=False)
    assert commands.compute_threads(Settings(workers=2)) == 4
    assert commands.compute_threads(Settings(workers=16)) == 1
    assert commands.compute_threads(Settings(workers=2, threads=3)) == 3


def test_the_environment_of_a_worker(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    asked = commands.worker_environment(Settings(threads=2), "redis://here/0", "worker-1-abc")
    assert asked["OMP_WAIT_POLICY"] == "PASSIVE"
    assert asked["OMP_NUM_THREADS"] == asked["MKL_NUM_THREADS"] == "2"
    assert asked["EXPLAINERY_WORKER_ID"] == "worker-1-abc"
    assert asked["EXPLAINERY_REDIS_URL"] == "redis://here/0"
    left = commands.worker_environment(Settings(), "redis://here/0", "worker-1-abc")
    assert left["OMP_NUM_THREADS"] == "7"  # what the operator set stands
