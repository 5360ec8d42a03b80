"""Device and threads follow the settings; a device that is not there is named."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from explainery.contract.errors import SettingsInvalid
from explainery.settings import Settings, load
from workers.device import device_of, ran_out_of_memory, threads_of


def test_auto_takes_what_is_there() -> None:
    assert device_of(Settings()) == ("cuda:0" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(("asked", "device"), [("cpu", "cpu"), ("cuda", "cuda:0"), ("cuda:1", "cuda:1")])
def test_the_device_that_was_asked(asked: str, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device_of(Settings(device=asked)) == device


@pytest.mark.parametrize("asked", ["gpu", "", "meta", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "mps", "CPU"])
def test_what_is_no_device_is_said(asked: str) -> None:
    with pytest.raises(SettingsInvalid, match="use auto, cpu, cuda or cuda:N"):
        device_of(Settings(device=asked))


@pytest.mark.parametrize("asked", ["cuda", "cuda:0", "cuda:2"])
def test_a_gpu_that_is_not_there_is_said(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(SettingsInvalid, match=r"has 0 CUDA devices; use auto or cpu\.$"):
        device_of(Settings(device=asked))


def test_threads_are_a_share_of_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert threads_of(load({})) == 8
    assert threads_of(load({"EXPLAINERY_WORKERS": "3"})) == 2
    assert threads_of(load({"EXPLAINERY_WORKERS": "100"})) == 1
    assert threads_of(load({"EXPLAINERY_WORKERS": "3", "EXPLAINERY_THREADS": "5"})) == 5


def test_threads_cannot_be_negative() -> None:
    with pytest.raises(SettingsInvalid, match="EXPLAINERY_THREADS: must be at least 0"):
        load({"EXPLAINERY_THREADS": "-1"})


def test_memory_running_out_is_told_from_other_faults() -> None:
    assert ran_out_of_memory(MemoryError())
    assert ran_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(RuntimeError) as refused:
        torch.empty(2**60, dtype=torch.uint8)
    assert ran_out_of_memory(refused.value)
    assert not ran_out_of_memory(RuntimeError("shapes cannot be multiplied"))
    assert not ran_out_of_memory(ValueError("can't allocate memory"))


def test_numpy_solves_on_one_thread_unless_the_operator_says_otherwise() -> None:
    script = (
        "import scipy.linalg; from threadpoolctl import threadpool_info; from workers.device import one_thread_for_numpy;"
        "before = {each['num_threads'] for each in threadpool_info() if each['prefix'] == 'libscipy_openblas'};"
        "one_thread_for_numpy();"
        "print(before, {each['num_threads'] for each in threadpool_info() if each['prefix'] == 'libscipy_openblas'})"
    )

    def told(**also: str) -> str:
        environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"} | also
        return subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        ).stdout

    assert told().split(" {")[1].strip() == "1}"
    assert told(OPENBLAS_NUM_THREADS="2") == "{2} {2}\n"
