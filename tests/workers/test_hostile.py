"""Hostile model files on a real worker: refused or stopped within their limits, no marker left, and the next job is served."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import hostile
import numpy as np
import pytest
import repos

from explainery.contract.catalogue import ModelEntry
from explainery.contract.job import Baseline, Job, JobSpec, JobState, ModelRef
from explainery.contract.tensors import pack
from explainery.settings import Settings
from explainery.store.bell import ANYBODY
from explainery.store.connection import connect
from explainery.store.ids import new_job_id
from explainery.store.jobs import JobStore
from workers.repository import Repository
from workers.worker import Worker

SMALL = {
    "trial_bytes": 768 << 20,
    "trial_cpu_s": 2.0,
    "trial_s": 60.0,
    "lease_s": 120.0,
    "factories": ("nets",),
    "device": "cpu",
    "threads": 1,
}
GOOD = "good"


class Floor:
    """A worker in this process, its ledger, and a repository with one good model."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = Path(settings.models)
        repos.add_stub(self.folder, GOOD, 4)
        self.repository = Repository(settings.models, settings.max_model_bytes)
        self.store = JobStore(connect(settings), settings)
        self.worker = Worker(settings)

    def submit(self, model: str, datatype: type = np.float32) -> str:
        found = self.repository.find(model, 1)
        spec = JobSpec(
            id=new_job_id(),
            model=ModelRef(name=model, version="1", digest=found.digest),
            method="feature_ablation",
            method_requested="feature_ablation",
            params={},
            rows=1,
            target=("predicted",),
            baseline=Baseline(kind="zeros"),
            seed=0,
        )
        self.store.admit(spec, pack({"input/input": np.ones((1, 4), datatype)}))
        return spec.id

    def work(self, *job_ids: str) -> list[Job]:
        for _ in range(10):  # a worker leaves its lines now and then, and is rung for again
            self.worker.drain(ANYBODY)
            if all(self.store.get(job_id).status.ended for job_id in job_ids):
                break
        return [self.store.get(job_id) for job_id in job_ids]

    def entry(self, model: str = hostile.NAME) -> ModelEntry | None:
        return next((entry for entry in self.worker.offer().models if entry.name == model), None)


@pytest.fixture
def floor(settings: Settings) -> Iterator[Floor]:
    made = Floor(dataclasses.replace(settings, rescan_s=0.1, **SMALL))  # type: ignore[arg-type]
    yield made
    made.worker.stop()


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "marker"


def refused(floor: Floor, words: str) -> None:
    """A job on the hostile model fails with the reason, and one on a good model is served by the same worker."""
    bad, good = floor.work(floor.submit(hostile.NAME), floor.submit(GOOD, np.float64))
    assert bad.error is not None
    assert (bad.status, bad.error.code) == (JobState.FAILED, "model_unloadable")
    assert words in bad.error.detail
    assert good.status == JobState.SUCCEEDED


@pytest.mark.parametrize("name", hostile.TRIED)
def test_what_only_a_trial_can_tell(floor: Floor, marker: Path, name: str) -> None:
    make, words = hostile.TRIED[name]
    make(floor.folder, marker)
    refused(floor, words)
    entry = floor.entry()
    assert entry is not None
    assert words in str(entry.fault)
    assert not any(availability.available for availability in entry.methods.values())
    assert not marker.exists()


@pytest.mark.parametrize("name", hostile.CODE)
def test_what_may_not_be_opened_at_all(floor: Floor, marker: Path, name: str) -> None:
    make, words = hostile.CODE[name]
    make(floor.folder, marker)
    refused(floor, words)
    assert not marker.exists()


@pytest.mark.parametrize("name", hostile.CODE_ALLOWED)
def test_what_its_trial_stops_where_code_formats_are_allowed(settings: Settings, marker: Path, name: str) -> None:
    limits = {**SMALL, "trial_cpu_s": 30.0, "allow_code_formats": True}  # torch.export imports for seconds
    floor = Floor(dataclasses.replace(settings, **limits))  # type: ignore[arg-type]
    make, words = hostile.CODE_ALLOWED[name]
    make(floor.folder, marker)
    refused(floor, words)
    floor.worker.stop()
    assert not marker.exists()


@pytest.mark.parametrize("name", hostile.BROKEN)
def test_what_the_repository_refuses(floor: Floor, marker: Path, name: str) -> None:
    make, words = hostile.BROKEN[name]
    make(floor.folder, marker)
    assert words in str(floor.repository.find(hostile.NAME, 1).fault)
    assert floor.entry() is None
    bad, good = floor.work(floor.submit(hostile.NAME), floor.submit(GOOD, np.float64))
    assert bad.error is not None
    assert (bad.status, bad.error.code) == (JobState.FAILED, "model_changed")
    assert good.status == JobState.SUCCEEDED


def test_the_pickles_are_live(floor: Floor, marker: Path) -> None:
    """Opened without care they do leave their marker: else this file would prove nothing."""
    import pickle

    hostile.bare_pickle(floor.folder, marker)
    pickle.loads((floor.folder / hostile.NAME / "1" / "model.pt").read_bytes())  # noqa: S301
    assert marker.exists()
