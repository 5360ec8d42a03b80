"""Memory is governed: models within their bound, chunks that do not fit are halved, and the answers stay the same."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import repos
import torch
from repos import output, tensor_input

from explainery.settings import load
from workers.governor import CPU_POINTS
from workers.local import Local, Order

MODELS, JOBS, FEATURES = 8, 400, 1200
"""Eight nets of 1200 x 1200 weights: 5.5 MiB each."""
PROGRAM = """
import json, random, sys
from pathlib import Path
import numpy as np, structlog, logging
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
import dataclasses
from explainery.settings import load
from workers.device import resident_bytes
from workers.footprint import give_back
from workers.local import Local, Order

folder, home, jobs, kept = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
rows = {"input": np.linspace(-1, 1, 1200, dtype=np.float32)[None]}
settings = dataclasses.replace(load({}), home=home, models=str(folder), device="cpu", threads=1, factories=("nets",))
probe = Local(settings)
want = [probe.explain(f"m{n}", Order("saliency", rows, {}))[0].explanations[0].instance_output for n in range(8)]
one = max(1, probe.models.footprint.host // 8)
del probe
give_back()
lab = Local(dataclasses.replace(settings, model_cache_bytes=kept * one + one // 2))
base, worst, loads, dice = resident_bytes(), 0, 0, random.Random(0)
for _ in range(jobs):
    number = dice.randrange(8)
    loads += f"m{number}@1" not in lab.models.resident
    result = lab.explain(f"m{number}", Order("saliency", rows, {}))[0]
    assert result.explanations[0].instance_output == want[number]
    assert len(lab.models.resident) <= kept
    worst = max(worst, resident_bytes() - base)
print(json.dumps({"one": one, "worst": worst, "loads": loads, "kept": len(lab.models.resident)}))
"""


def test_models_stay_within_their_bound(tmp_path: Path) -> None:
    """Bound at 3 of 8 models, 400 jobs in random order: all are right, and resident memory stays within the bound and 10 %."""
    for number in range(MODELS):
        args = {"features": FEATURES, "outputs": FEATURES}
        repos.add_torch(
            tmp_path / "models",
            f"m{number}",
            "nets:linear",
            args,
            tensor_input("input", [FEATURES]),
            output(FEATURES),
            seed=number,
        )
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "models"), str(tmp_path), str(JOBS), "3"]
    support = str(Path(repos.__file__).parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([support, os.environ.get("PYTHONPATH", "")])}
    said = json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
    assert said["one"] == pytest.approx(4 * FEATURES * FEATURES, rel=0.1)
    assert said["kept"] == 3
    assert said["loads"] > MODELS
    assert said["worst"] <= 1.1 * 3.5 * said["one"]


class Hungry:
    """A model that runs out of memory whenever it is asked for more than it can hold, or when `refuse` says so."""

    def __init__(self, model: Any, most: int, refuse: Callable[[int], bool] = lambda call: False) -> None:
        self._model, self._most, self._refuse = model, most, refuse
        self.calls, self.refused = 0, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def _check(self, inputs: Any) -> None:
        self.calls += 1
        points = len(next(iter(inputs.values())))
        if points > self._most or (points > 1 and self._refuse(self.calls)):
            self.refused += 1
            raise torch.OutOfMemoryError("CUDA out of memory")

    def forward(self, inputs: Any) -> Any:
        self._check(inputs)
        return self._model.forward(inputs)

    def gradients(self, inputs: Any, columns: Any) -> Any:
        self._check(inputs)
        return self._model.gradients(inputs, columns)


METHODS = {
    "kernel_shap": {"samples": 300},
    "exact_shapley": {},
    "integrated_gradients": {},
    "smoothgrad": {"samples": 100},
    "feature_ablation": {},
}
FEW = 9


@pytest.fixture
def lab(tmp_path: Path) -> Local:
    repos.add_torch(
        tmp_path, "m", "nets:mlp", {"features": FEW, "smooth": True}, tensor_input("input", [FEW]), output(3), seed=1
    )
    return Local(load({"EXPLAINERY_MODELS": str(tmp_path), "EXPLAINERY_FACTORIES": "nets", "EXPLAINERY_HOME": str(tmp_path)}))


def explained(lab: Local, method: str, most: int, refuse: Callable[[int], bool] = lambda call: False) -> tuple[Any, Hungry]:
    """The attributions by a model of such an appetite, asked by an engine that has learned nothing yet."""
    fresh = Local(lab.settings)
    loaded = lab.load("m")
    hungry = Hungry(loaded.model, most, refuse)
    fresh.load = lambda name: dataclasses.replace(loaded, model=hungry)  # type: ignore[method-assign]
    rows = {"input": np.random.default_rng(0).normal(size=(5, FEW)).astype(np.float32)}
    _, arrays = fresh.explain("m", Order(method, rows, METHODS[method]))
    return arrays, hungry


def assert_same(one: Any, other: Any) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=0, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_memory_that_runs_out_at_any_chunk_changes_no_answer(lab: Local, method: str) -> None:
    right, calm = explained(lab, method, most=10**9)
    for at in range(1, calm.calls + 1):
        answer, hungry = explained(lab, method, 10**9, lambda call, at=at: call == at)
        assert_same(answer, right)
        assert hungry.refused <= 1
    answer, hungry = explained(lab, method, 10**9, lambda call: call % 3 == 0)
    assert_same(answer, right)
    assert hungry.refused > 0


@pytest.mark.parametrize("method", METHODS)
def test_a_job_far_too_large_for_one_batch_succeeds(lab: Local, method: str) -> None:
    right, _ = explained(lab, method, most=10**9)
    answer, hungry = explained(lab, method, most=CPU_POINTS // 8)
    assert_same(answer, right)
    assert hungry.refused > 0
