"""Mixed jobs on one model object, four at a time: each gives what it gives alone, and the model stays as it was.

`EXPLAINERY_JOBS=1000` is the long run.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from workers.batch import Batch
from workers.device import resident_bytes
from workers.governor import Governor
from workers.local import Local, Order
from workers.registry import Registry

JOBS = int(os.environ.get("EXPLAINERY_JOBS", "96"))
ORDERS: list[tuple[str, dict[str, Any]]] = [
    ("saliency", {}),
    ("guided_backprop", {}),
    ("deconvolution", {}),
    ("deep_lift", {}),
    ("lrp", {}),
    ("grad_cam", {"layer": "block1"}),
    ("layer_cam", {"layer": "block2.bn1"}),
    ("guided_grad_cam", {}),
    ("layer_activation", {"layer": "block1.relu#1"}),
    ("layer_integrated_gradients", {"layer": "pool", "max_steps": 20, "tolerance": 0.0}),
    ("neuron_gradient", {"layer": "block2.conv1", "unit": [1]}),
    ("integrated_gradients", {"max_steps": 16, "tolerance": 0.0}),
]
GROWTH_BYTES = 8 << 20
"""Of resident memory over the second half: what an allocator keeps for itself."""


def hooks(module: nn.Module) -> int:
    names = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(part, name)) for part in module.modules() for name in names)


def test_mixed_jobs_four_at_a_time(inner_lab: Local, rows: Callable[..., NDArray[Any]]) -> None:
    loaded = inner_lab.load("resnet")
    module: nn.Module = loaded.model._module  # type: ignore[attr-defined]  # what must stay as it is
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    x = rows("resnet", 4)
    jobs = [(number % len(ORDERS), number % 4) for number in range(JOBS)]
    alone = {(kind, row): answer(inner_lab, "resnet", kind, x[row : row + 1]) for kind, row in set(jobs)}
    np.random.Generator(np.random.Philox(1)).shuffle(jobs)
    half, resident, wrong = JOBS // 2, 0, []
    with ThreadPoolExecutor(4) as pool:
        for start in (0, half):
            some = jobs[start : start + half]
            found = pool.map(lambda job: answer(inner_lab, "resnet", job[0], x[job[1] : job[1] + 1]), some)
            for job, arrays in zip(some, found, strict=True):
                wrong += [(job, key) for key, array in arrays.items() if not same(array, alone[job][key])]
            gc.collect()
            grown, resident = resident_bytes() - resident, resident_bytes()
    assert not wrong
    assert hooks(module) == 0
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    assert not any(parameter.requires_grad or parameter.grad is not None for parameter in module.parameters())
    assert grown <= GROWTH_BYTES


def answer(lab: Local, model: str, kind: int, row: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """One job in a batch of its own, on the model object that all share."""
    method, params = ORDERS[kind]
    batch = Batch(lab.load(model), lab.registry, Governor(), 4)
    work = batch.admit(lab._claim(lab.load(model), Order(method, {"input": row}, params)))
    while batch.works:
        batch.plan()
        _, failures = batch.step()
        assert not failures
    return {**work.answers[0].attributions, **work.answers[0].maps}


def same(found: NDArray[Any], expected: NDArray[Any]) -> bool:
    return bool(np.abs(found - expected).max() <= 1e-5 * max(1.0, float(np.abs(expected).max())))


def test_mixed_jobs_of_one_batch(inner_lab: Local, rows: Callable[..., NDArray[Any]]) -> None:
    """Jobs that are worked on together share calls where they ask the same, and never each other's rules."""
    x = rows("resnet", 4)
    orders = [Order(method, {"input": x[number % 4 :][:1]}, params) for number, (method, params) in enumerate(ORDERS * 2)]
    for number, ((_, arrays), order) in enumerate(zip(inner_lab.explain_all("resnet", orders), orders, strict=True)):
        _, expected = inner_lab.explain("resnet", order)
        for key, array in arrays.items():
            assert same(array, expected[key]), (number, order.method, key)


@pytest.fixture(autouse=True)
def _registry(inner_lab: Local) -> Registry:
    """All methods are there."""
    assert {method for method, _ in ORDERS} <= set(inner_lab.registry.methods)
    return inner_lab.registry
