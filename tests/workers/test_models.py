"""The cache: loads once, keeps the most recently used, and never answers about files that are no longer there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import repos
import structlog

from explainery.contract.errors import ModelChanged, ModelUnloadable
from explainery.contract.job import ModelRef
from explainery.settings import load
from workers.local import Local, Order

ONES = {"input": np.ones((1, 4))}


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


def lab_over(folder: Path | str, **settings: Any) -> Local:
    return Local(dataclasses.replace(load({}), models=str(folder), device="cpu", threads=1, factories=("nets",), **settings))


def ref(lab: Local, name: str, version: int = 1) -> ModelRef:
    return ModelRef(name=name, version=str(version), digest=lab.repository.find(name, version).digest)


def test_a_model_is_loaded_once(tmp_path: Path) -> None:
    repos.add_stub(tmp_path, "m", 4)
    lab = lab_over(tmp_path)
    assert lab.load("m") is lab.load("m")
    assert lab.models.resident == ("m@1",)


def test_the_least_recently_used_leaves_first(tmp_path: Path) -> None:
    for name in "abc":
        repos.add_stub(tmp_path, name, 4)
    lab = lab_over(tmp_path, model_cache=2)
    first = lab.load("a")
    lab.load("b")
    assert lab.load("a") is first
    lab.load("c")
    assert lab.models.resident == ("a@1", "c@1")
    assert lab.load("a") is first


def test_versions_are_models_of_their_own(tmp_path: Path) -> None:
    repos.add_stub(tmp_path, "m", 4, weights=1.0)
    repos.add_stub(tmp_path, "m", 4, weights=2.0, version=2)
    lab = lab_over(tmp_path)
    assert lab.load("m", 1).ref.digest != lab.load("m", 2).ref.digest
    assert lab.models.resident == ("m@1", "m@2")


def test_a_job_of_before_a_change_is_not_answered_about_the_new_files(tmp_path: Path) -> None:
    repos.add_stub(tmp_path, "m", 4, weights=1.0)
    lab = lab_over(tmp_path)
    old = ref(lab, "m")
    assert lab.explain("m", Order("feature_ablation", ONES, {}))[0].explanations[0].instance_output == 4
    repos.add_stub(tmp_path, "m", 4, weights=3.0)
    with pytest.raises(ModelChanged, match="submit it again"):
        lab.models.get(old)
    assert lab.explain("m", Order("feature_ablation", ONES, {}))[0].explanations[0].instance_output == 12
    assert lab.models.resident == ("m@1",)


def test_a_model_that_is_taken_away_is_not_answered_from_memory(tmp_path: Path) -> None:
    place = repos.add_stub(tmp_path, "m", 4)
    lab = lab_over(tmp_path)
    old = lab.load("m").ref
    (place / "card.toml").unlink()
    with pytest.raises(ModelChanged):
        lab.models.get(old)


def test_a_model_from_a_url_is_explained() -> None:
    store = fsspec.filesystem("memory")
    card = f'title = "m"\nformat = "stub"\n{repos.tensor_input("input", [4], "FP64")}{repos.output(1)}[stub]\nform = "linear"\n'
    store.pipe_file("/explainery-models/m/1/card.toml", card.encode())
    try:
        _, arrays = lab_over("memory://explainery-models").explain("m", Order("exact_shapley", ONES, {}))
    finally:
        store.rm("/explainery-models", recursive=True)
    np.testing.assert_allclose(arrays["attributions.input"], 1, atol=1e-12)


def test_a_format_that_nothing_loads(tmp_path: Path) -> None:
    repos.add_stub(tmp_path, "m", 4)
    lab = lab_over(tmp_path)
    del lab.registry.runtimes["stub"]
    with pytest.raises(ModelUnloadable, match="No runtime here loads"):
        lab.load("m")


def with_arrays(folder: Path, more: str) -> Path:
    card = f'title = "m"\nformat = "stub"\n{repos.tensor_input("input", [4])}{repos.output(1)}{more}[stub]\nform = "linear"\n'
    return repos.write(folder, "m", card)


SAMPLE = '[sample]\nfile = "sample.npz"\n'
SAMPLES = {
    "of another name": {"x": np.ones((2, 4))},
    "empty": {},
    "without rows": {"input": np.ones((0, 4))},
    "of another shape": {"input": np.ones((2, 5))},
    "one row without its axis": {"input": np.ones(4)},
    "of text": {"input": np.array([["a"] * 4])},
    "not finite": {"input": np.full((1, 4), np.nan)},
}


@pytest.mark.parametrize("fault", SAMPLES)
def test_a_sample_that_cannot_be_used(tmp_path: Path, fault: str) -> None:
    np.savez(with_arrays(tmp_path, SAMPLE) / "sample.npz", **SAMPLES[fault])
    with pytest.raises(ModelUnloadable, match=r"^The sample .*\.$"):
        lab_over(tmp_path).load("m")


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x93NUMPY"])
def test_a_sample_that_is_no_archive(tmp_path: Path, content: bytes) -> None:
    (with_arrays(tmp_path, SAMPLE) / "sample.npz").write_bytes(content)
    with pytest.raises(ModelUnloadable, match="sample file cannot be read"):
        lab_over(tmp_path).load("m")


def test_pickles_in_arrays_are_not_opened(tmp_path: Path) -> None:
    place = with_arrays(tmp_path, '[baseline]\ninput = "base.npy"\n')
    np.save(place / "base.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    with pytest.raises(ModelUnloadable, match="baseline file cannot be read"):
        lab_over(tmp_path).load("m")


@pytest.mark.parametrize(
    ("value", "usable"),
    [(np.ones(4), True), (np.float32(2), True), (np.ones(1), True), (np.ones(3), False), (np.ones((1, 4)), False),
     (np.full(4, np.inf), False)],
)  # fmt: skip
def test_the_cards_baseline_must_fit_a_row(tmp_path: Path, value: Any, usable: bool) -> None:
    np.save(with_arrays(tmp_path, '[baseline]\ninput = "base.npy"\n') / "base.npy", value)
    lab = lab_over(tmp_path)
    if usable:
        assert lab.load("m").baseline["input"].tolist() == value.tolist()
    else:
        with pytest.raises(ModelUnloadable, match=r"^The baseline of input input .*\.$"):
            lab.load("m")


def test_sample_and_baseline_are_kept(tmp_path: Path) -> None:
    place = with_arrays(tmp_path, SAMPLE + "[baseline]\ninput = 3\n")
    np.savez(place / "sample.npz", input=np.arange(8).reshape(2, 4))
    loaded = lab_over(tmp_path).load("m")
    assert loaded.sample["input"].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert float(loaded.baseline["input"]) == 3.0


def test_the_log_names_model_and_digest(tmp_path: Path) -> None:
    repos.add_stub(tmp_path, "m", 4)
    with structlog.testing.capture_logs() as lines:
        digest = lab_over(tmp_path).load("m").ref.digest
    sizes = {"host_bytes": 0, "device_bytes": 0}
    assert [{**line, **sizes} for line in lines] == [
        {
            "event": "model_loaded",
            "log_level": "info",
            "model": "m",
            "version": "1",
            "digest": digest,
            "runtime": "stub",
            **sizes,
        }
    ]
