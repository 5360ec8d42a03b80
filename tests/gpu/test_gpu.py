"""On a GPU: the same answers as on the CPU, memory that really runs out, and how fast it is. Run by `make test-gpu`."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import repos
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file

from explainery.contract.errors import ResourceExhausted
from explainery.settings import load
from workers.governor import Governor
from workers.local import Local, Order
from workers.offering import offer_of
from workers.registry import discover

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
    pytest.mark.timeout(900),
]

METHODS = sorted(discover().methods)
SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "mlp": {"input": (6,)},
    "cnn": {"input": (1, 8, 8)},
    "both": {"table": (3,), "picture": (1, 4, 4)},
    "recurrent": {"input": (9, 2)},
    "tokens": {"input": (5,)},
    "pictures": {"input": (3, 64, 64)},
}
AGREE = 1e-4
"""Largest difference between GPU and CPU, as a share of the largest attribution."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Torch models of every kind of layer that has a kernel of its own on GPUs."""
    place = tmp_path_factory.mktemp("models")
    image = repos.tensor_input("input", [1, 8, 8], modality="image", layout="NCHW")
    large = repos.tensor_input("input", [3, -1, -1], modality="image", layout="NCHW")
    both = repos.tensor_input("table", [3]) + repos.tensor_input("picture", [1, 4, 4], modality="image", layout="NCHW")
    logits = repos.output(16, "extra") + repos.output(2, "logits")
    series = repos.tensor_input("input", [-1, 2], modality="series")
    repos.add_torch(
        place, "mlp", "nets:mlp", {"features": 6, "smooth": True}, repos.tensor_input("input", [6]), repos.output(3)
    )
    repos.add_torch(place, "cnn", "nets:cnn", {}, image, repos.output(4))
    repos.add_torch(place, "both", "nets:two_inputs", {}, both, logits, more='score = "logits"\n')
    repos.add_torch(place, "recurrent", "runtime_nets:recurrent", {}, series, repos.output(3))
    repos.add_torch(place, "tokens", "runtime_nets:tokens", {}, repos.tensor_input("input", [-1], "INT64"), repos.output(3))
    repos.add_torch(place, "pictures", "gpu_nets:pictures", {}, large, repos.output(10))
    for megabytes in (1024, 1 << 20):
        args = {"megabytes": megabytes}
        repos.add_torch(place, f"wide-{megabytes}", "gpu_nets:wide", args, repos.tensor_input("input", [4]), repos.output(1))
    return place


def on(folder: Path, device: str) -> Local:
    factories = ("nets", "runtime_nets", "gpu_nets")
    return Local(dataclasses.replace(load({}), models=str(folder), device=device, factories=factories))


@pytest.fixture(scope="module")
def cpu(folder: Path) -> Local:
    return on(folder, "cpu")


@pytest.fixture(scope="module")
def gpu(folder: Path) -> Local:
    return on(folder, "cuda:0")


def rows_of(model: str, count: int, shape: tuple[int, ...] | None = None) -> dict[str, NDArray[Any]]:
    rng = np.random.Generator(np.random.Philox(count))
    shapes = {"input": shape} if shape else SHAPES[model]
    if model == "tokens":
        return {name: rng.integers(0, 10, size=(count, *size)) for name, size in shapes.items()}
    return {name: rng.normal(size=(count, *size)).astype(np.float32) for name, size in shapes.items()}


def works(lab: Local, method: str, model: str) -> bool:
    entries = {entry.name: entry for entry in offer_of(lab.registry, lab.repository.scan(), lab.settings).models}
    most = lab.registry.methods[method].SPEC.max_players
    players = entries[model].players
    return entries[model].methods[method].available and (most is None or (players is not None and players <= most))


@pytest.mark.parametrize("model", SHAPES)
@pytest.mark.parametrize("method", METHODS)
def test_same_answers_as_the_cpu(cpu: Local, gpu: Local, method: str, model: str) -> None:
    if not works(cpu, method, model):
        pytest.skip("the catalogue refuses it")
    rows = rows_of(model, 3)
    # a budget that is used up on both: a stop by tolerance could fall on either side
    params = {"integrated_gradients": {"max_steps": 32, "tolerance": 0.0}, "kernel_shap": {"tolerance": 0.0}}.get(method, {})
    ours, expected = (lab.explain(model, Order(method, rows, params, target=0, seed=5)) for lab in (gpu, cpu))
    assert ours[0].environment["device"] == "cuda:0"
    for name, wanted in expected[1].items():
        scale = max(float(np.abs(wanted).max()), 1e-6)
        assert float(np.abs(ours[1][name] - wanted).max()) <= AGREE * scale, name


def test_memory_that_runs_out_costs_a_smaller_chunk(gpu: Local) -> None:
    """A thousand evaluations of a gigabyte each: the chunk is halved until it fits, and the answers are the formula's."""
    rows = np.random.Generator(np.random.Philox(1)).normal(size=(256, 4)).astype(np.float32)
    governor, gpu.governor = gpu.governor, Eager()
    try:
        _, arrays = gpu.explain("wide-1024", Order("feature_ablation", {"input": rows}, {}))
        assert gpu.governor.halvings > 0
    finally:
        gpu.governor = governor
    weights = load_file(Path(gpu.settings.models) / "wide-1024" / "1" / "model.safetensors")["layer.weight"][0]
    np.testing.assert_allclose(arrays["attributions.input"], (weights + np.eye(4)[0]) * rows, atol=1e-4)


class Eager(Governor):
    """Begins with chunks as large as they may ever be, and counts how often memory ran out."""

    def __init__(self) -> None:
        super().__init__()
        self.halvings = 0
        self.sizes: dict[Any, int] = {}

    def size(self, kind: Any, elements: int) -> int:
        super().size(kind, elements)
        return self.sizes.setdefault(kind, 2**14)

    def went(self, kind: Any, points: int, seconds: float) -> None:
        """Stay: only memory decides here."""

    def exhausted(self, kind: Any, points: int) -> bool:
        self.halvings += 1
        self.sizes[kind] = max(1, points // 2)
        return points > 1


def test_one_evaluation_that_does_not_fit_fails_and_the_next_job_is_answered(gpu: Local) -> None:
    row = {"input": np.ones((1, 4), np.float32)}
    with pytest.raises(ResourceExhausted):
        gpu.explain(f"wide-{1 << 20}", Order("feature_ablation", row, {}))
    result, _ = gpu.explain("mlp", Order("saliency", rows_of("mlp", 2), {}))
    assert len(result.explanations) == 2


def test_process_wide_settings_are_as_they_were(gpu: Local) -> None:
    before = torch.backends.cudnn.enabled, torch.backends.cudnn.allow_tf32, torch.cuda.get_rng_state().tolist()
    gpu.explain("cnn", Order("smoothgrad", rows_of("cnn", 2), {}))
    after = torch.backends.cudnn.enabled, torch.backends.cudnn.allow_tf32, torch.cuda.get_rng_state().tolist()
    assert after == before


RACES = [
    ("mlp", "kernel_shap", (6,), 256, {}),
    ("pictures", "integrated_gradients", (3, 224, 224), 4, {"max_steps": 64, "tolerance": 0.0}),
    ("pictures", "occlusion", (3, 224, 224), 4, {}),
    ("pictures", "smoothgrad", (3, 224, 224), 4, {"samples": 64}),
]


def test_throughput(cpu: Local, gpu: Local, capsys: pytest.CaptureFixture[str]) -> None:
    """Evaluations a second on both, warm: printed, and on pictures the GPU is the faster one."""
    lines = [f"{'model':10} {'method':22} {'CPU ev/s':>10} {'GPU ev/s':>10} {'ratio':>7}"]
    ratios = {}
    for model, method, shape, count, params in RACES:
        rates = [rate(lab, model, Order(method, rows_of(model, count, shape), params)) for lab in (cpu, gpu)]
        ratios[method] = rates[1] / rates[0]
        lines.append(f"{model:10} {method:22} {rates[0]:10.0f} {rates[1]:10.0f} {ratios[method]:6.1f}x")
    with capsys.disabled():
        print("\n" + torch.cuda.get_device_name(), *lines, sep="\n")  # noqa: T201  # the table is what this test is for
    assert ratios["integrated_gradients"] > 1


def rate(lab: Local, model: str, order: Order) -> float:
    """Evaluations a second, the best of two after a first one that warms up."""
    best = 0.0
    for attempt in range(3):
        began = time.perf_counter()
        cost = lab.explain(model, order)[0].cost
        seconds = time.perf_counter() - began
        if attempt:
            best = max(best, (cost.model_evaluations + cost.gradient_evaluations) / seconds)
    return best
