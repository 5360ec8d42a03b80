"""Methods that look inside: ours through the engine, captum's with its defaults; one by one, and 64 small jobs of one model."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import captum.attr as captum
import numpy as np
import torch

from benchmarks import nets
from benchmarks.models import laboratory, write_all
from benchmarks.tables import met, rounds, show
from workers.local import Local, Order

THREADS = 2
JOBS = 64
STEPS = 50
RUNS = 7
TOGETHER_BOUND = 3.0
LAYERS = {"resnet18": "11", "small-cnn": "3"}
NETS: dict[str, Callable[[], torch.nn.Module]] = {"resnet18": nets.resnet18, "small-cnn": nets.small_cnn}
Methods = dict[str, tuple[str, dict[str, Any], Callable[[torch.Tensor, int], object]]]


def main() -> None:
    """Print the two tables."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(THREADS)
    columns = ("job", "ours, ms", "captum's, ms", "ratio", "bound")
    with tempfile.TemporaryDirectory() as folder:
        lab = laboratory(write_all(Path(folder) / "models"), THREADS, twin_after_s=-1.0)
        alone = [row for model in NETS for row in _one_by_one(lab, model)]
        together = list(_together(lab, "small-cnn"))
    show("Looking inside, one row at a time (milliseconds; medians over rounds, each round runs both)", columns, alone)
    show(f"Looking inside, {JOBS} jobs of one row each (milliseconds)", columns, together)


def _one_by_one(lab: Local, model: str) -> Iterator[tuple[object, ...]]:
    for name, (method, params, theirs) in _methods(model).items():
        row = _rows(lab, model, 1)
        order, tensor = Order(method, {"input": row}, params, target=1), torch.tensor(row)
        yield _compared(
            f"{name}, {model}", lambda order=order: lab.explain(model, order), lambda t=tensor, call=theirs: call(t, 1), 1.0
        )


def _together(lab: Local, model: str) -> Iterator[tuple[object, ...]]:
    """Ours: 64 jobs that wait, in one batch. Captum: one call after the other, as a server around it would."""
    rows = _rows(lab, model, JOBS)
    for name, (method, params, theirs) in _methods(model).items():
        orders = [Order(method, {"input": rows[number : number + 1]}, params, target=1) for number in range(JOBS)]
        tensors = [torch.tensor(rows[number : number + 1]) for number in range(JOBS)]
        yield _compared(
            f"{name}, {model}",
            lambda orders=orders: lab.explain_all(model, orders),
            lambda ts=tensors, call=theirs: [call(t, 1) for t in ts],
            TOGETHER_BOUND,
        )


def _methods(model: str) -> Methods:
    """Name -> our method, its parameters, and captum's call. Captum gets a module of its own, as a user would have it."""
    torch.manual_seed(0)
    net = NETS[model]().eval()
    layer = net.get_submodule(LAYERS[model])
    cam, integrated = captum.LayerGradCam(net, layer), captum.LayerIntegratedGradients(net, layer)
    guided, lift = captum.GuidedBackprop(net), captum.DeepLift(net)
    named = {"layer": LAYERS[model]}
    return {
        "Grad-CAM": ("grad_cam", named, lambda x, t: cam.attribute(x, target=t, relu_attributions=True)),
        "guided backprop": ("guided_backprop", {}, lambda x, t: guided.attribute(x.requires_grad_(), target=t)),
        "DeepLIFT": ("deep_lift", {}, lambda x, t: lift.attribute(x.requires_grad_(), target=t)),
        f"layer integrated gradients, {STEPS} steps": (
            "layer_integrated_gradients",
            {**named, "max_steps": STEPS + 4, "tolerance": 0.0},
            lambda x, t: integrated.attribute(x, target=t, n_steps=STEPS),
        ),
    }


def _rows(lab: Local, model: str, count: int) -> np.ndarray[Any, Any]:
    shape = lab.load(model).card.inputs[0].row_shape
    return np.random.Generator(np.random.Philox(1)).normal(size=(count, *shape)).astype(np.float32)


def _compared(name: str, ours: Callable[[], object], theirs: Callable[[], object], bound: float) -> tuple[object, ...]:
    for _ in range(3):
        ours()  # chunk sizes are learned once in a worker's life
    taken = rounds((ours, theirs), RUNS)
    ratio = median(peers / mine for mine, peers in taken)
    mine, peers = (1000 * median(column) for column in zip(*taken, strict=True))
    return name, f"{mine:.1f}", f"{peers:.1f}", f"{ratio:.2f}", met(ratio, bound)


if __name__ == "__main__":
    main()
