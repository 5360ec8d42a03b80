"""Speed in one process, same threads: ours through the engine, captum with its defaults, and the model's own best raw rate."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import captum.attr as captum
import numpy as np
import shap
import torch

from benchmarks.models import laboratory, with_twin, write_all
from benchmarks.tables import met, rounds, show
from workers.local import Local, Order

THREADS = 2
STEPS = 50
WINDOW, STRIDE = 32, 16
RUNS = 5
PEER_BATCHES = (1, 8, 32)
VALUES_BOUND = 2.0
"""Against captum on methods that only ask for values."""


def main() -> None:
    """Print the tables of engine speed and of efficiency."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(THREADS)
    with tempfile.TemporaryDirectory() as folder:
        lab = laboratory(write_all(Path(folder) / "models"), THREADS)
        for model in ("mlp", "small-cnn", "resnet18"):
            with_twin(lab, model)
        show(
            "Engine, values by ONNX twins, against captum and shap (seconds; medians over rounds, each round runs both)",
            ("job", "ours", "peer", "peer's", "ratio", "bound"),
            [_kernel_shap(lab), _kernel_shap(lab, peer="shap"), *_pictures(lab)],
        )
        show(
            "Efficiency: evaluations per second of the job / best raw evaluations per second of the model",
            ("job", "evaluations/s", "raw/s", "efficiency", "bound"),
            _efficiency(lab),
        )


def _rows(lab: Local, model: str, count: int) -> np.ndarray[Any, Any]:
    shape = lab.load(model).card.inputs[0].row_shape
    return np.random.Generator(np.random.Philox(1)).normal(size=(count, *shape)).astype(np.float32)


def _module(lab: Local, model: str) -> torch.nn.Module:
    """A module of its own for the peer: default memory layout, nothing frozen, as a user would have it."""
    from benchmarks import nets

    torch.manual_seed(0)
    module: torch.nn.Module = {"mlp": nets.mlp, "small-cnn": nets.small_cnn, "resnet18": nets.resnet18}[model]()
    return module.eval()


def _compared(
    name: str, ours: Callable[[], object], peer: str, theirs: Callable[[], object], bound: float | None, runs: int = 3
) -> tuple[object, ...]:
    ours()  # chunk sizes and plans are learned once in a worker's life
    taken = rounds((ours, theirs), runs)
    ratio = median(peers / mine for mine, peers in taken)
    mine, peers = (median(column) for column in zip(*taken, strict=True))
    return name, f"{mine:.3f}", peer, f"{peers:.3f}", f"{ratio:.1f}", met(ratio, bound) if bound else "-"


def _kernel_shap(lab: Local, peer: str = "captum") -> tuple[object, ...]:
    """64 rows x 512 coalitions on a 12-feature MLP."""
    rows, module = _rows(lab, "mlp", 64), _module(lab, "mlp")
    order = Order("kernel_shap", {"input": rows}, {"samples": 512, "tolerance": 0.0, "features": "elements"})
    tensors = torch.tensor(rows)
    targets = module(tensors).argmax(1)

    def with_captum() -> None:
        method = captum.KernelShap(module)
        for row, target in zip(tensors, targets, strict=True):
            method.attribute(row[None], target=int(target), n_samples=512)

    def with_shap() -> None:
        explainer = shap.KernelExplainer(
            lambda x: module(torch.tensor(x, dtype=torch.float32)).detach().numpy(), np.zeros((1, 12))
        )
        explainer.shap_values(rows, nsamples=512, silent=True)

    theirs, bound = (with_captum, 60.0) if peer == "captum" else (with_shap, 12.0)
    return _compared("kernel_shap, mlp, 64 rows x 512", lambda: lab.explain("mlp", order), peer, theirs, bound, runs=2)


def _pictures(lab: Local) -> list[tuple[object, ...]]:
    """Both sizes of picture."""
    return [*_picture(lab, "small-cnn", 2, 1, None), *_picture(lab, "resnet18", WINDOW, STRIDE, 1.5)]


def _picture(lab: Local, model: str, window: int, stride: int, bound: float | None) -> Iterator[tuple[object, ...]]:
    """Integrated gradients, occlusion and kernel_shap on one picture, beside captum with its defaults."""
    rows, module = _rows(lab, model, 1), _module(lab, model)
    tensor = torch.tensor(rows)
    target = int(module(tensor).argmax(1))
    _, channels, height, width = tensor.shape
    patches = torch.arange(64).reshape(1, 1, 8, 8).repeat_interleave(height // 8, 2).repeat_interleave(width // 8, 3)

    def ours(method: str, **params: Any) -> Callable[[], object]:
        return lambda: lab.explain(model, Order(method, {"input": rows}, params))

    yield _compared(
        f"integrated_gradients, {model}, {STEPS} steps",
        ours("integrated_gradients", max_steps=STEPS, tolerance=0.0),
        "captum",
        lambda: captum.IntegratedGradients(module).attribute(tensor, target=target, n_steps=STEPS),
        bound,
    )
    shape, strides = (channels, window, window), (channels, stride, stride)

    def occluded(at_once: int) -> Callable[[], object]:
        return lambda: captum.Occlusion(module).attribute(
            tensor, target=target, sliding_window_shapes=shape, strides=strides, perturbations_per_eval=at_once
        )

    yield _compared(
        f"occlusion, {model}, window {window} stride {stride}",
        ours("occlusion", window=window, stride=stride),
        *_best("captum", occluded),
        bound and VALUES_BOUND,
    )

    def coalitions(at_once: int) -> Callable[[], object]:
        return lambda: captum.KernelShap(module).attribute(
            tensor, target=target, n_samples=128, feature_mask=patches, perturbations_per_eval=at_once
        )

    yield _compared(
        f"kernel_shap, {model}, 64 patches, 128 samples",
        ours("kernel_shap", samples=128, tolerance=0.0),
        *_best("captum", coalitions),
        bound and VALUES_BOUND,
        runs=2,
    )


def _best(peer: str, theirs: Callable[[int], Callable[[], object]]) -> tuple[str, Callable[[], object]]:
    """The peer at the batch size that suits it best."""
    seconds = rounds([theirs(at_once) for at_once in PEER_BATCHES], 1)[0]
    at_once = PEER_BATCHES[seconds.index(min(seconds))]
    return f"{peer}, {at_once} at once", theirs(at_once)


def _efficiency(lab: Local) -> list[tuple[object, ...]]:
    """Jobs of a second or more against the model's best raw rate at any batch size, on the engine's own module."""
    jobs = (
        ("resnet18", 1, "integrated_gradients", {"max_steps": 64, "tolerance": 0.0}),
        ("resnet18", 1, "occlusion", {"window": WINDOW, "stride": STRIDE}),
        ("small-cnn", 64, "integrated_gradients", {"max_steps": 256, "tolerance": 0.0}),
        ("small-cnn", 64, "kernel_shap", {"samples": 2048, "tolerance": 0.0}),
    )
    return [
        _efficient(lab, f"{method}, {model}, {count} rows", model, Order(method, {"input": _rows(lab, model, count)}, params))
        for model, count, method, params in jobs
    ]


def _efficient(lab: Local, name: str, model: str, order: Order) -> tuple[object, ...]:
    """A job's rate beside raw calls of as many evaluations, in turns, at the two batch sizes that a first look liked."""
    loaded = lab.load(model).model
    result, _ = lab.explain(model, order)
    gradients = result.cost.gradient_evaluations > 0
    evaluations = result.cost.gradient_evaluations if gradients else result.cost.model_evaluations

    def raw(batch: int, calls: int) -> Callable[[], None]:
        points = {"input": loaded.place(np.repeat(order.inputs["input"][:1], batch, axis=0))}
        columns = np.zeros(batch, dtype=np.int64)

        def call() -> None:
            for _ in range(calls):
                _ = loaded.gradients(points, columns) if gradients else loaded.forward(points)

        return call

    batches = (1, 2, 4, 8, 16, 32) if model == "resnet18" else (64, 256, 1024, 4096, 16384)
    looks = rounds([raw(batch, 1) for batch in batches], 2)
    first = {batch: batch / min(seconds) for batch, seconds in zip(batches, zip(*looks, strict=True), strict=True)}
    liked = sorted(first, key=lambda batch: first[batch])[-2:]
    counts = [batch * (evaluations // batch) for batch in liked]
    raws = [raw(batch, count // batch) for batch, count in zip(liked, counts, strict=True)]
    taken = rounds((lambda: lab.explain(model, order), *raws), RUNS)
    best = [max(count / seconds for count, seconds in zip(counts, others, strict=True)) for _, *others in taken]
    efficiency = median(evaluations / row[0] / rate for row, rate in zip(taken, best, strict=True))
    rate = median(evaluations / row[0] for row in taken)
    return (
        name,
        f"{rate:.0f}",
        f"{median(best):.0f}",
        f"{efficiency:.2f}",
        met(efficiency, 0.9 if model == "resnet18" and not gradients else 0.85),
    )


if __name__ == "__main__":
    main()
