"""What gradients on ONNX cost: the translation's forward and backward passes beside ONNX Runtime's forward, same threads."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks import nets
from benchmarks.models import laboratory
from benchmarks.tables import met, rounds, show
from explainery.contract.layers import chosen
from explainery.contract.model_card import ModelCard, parse_card
from workers.local import Local
from workers.questions import Probe
from workers.twin_export import exported

THREADS = 2
BATCH = 4
BOUNDS = (3.0, 6.0, 1.2)
"""Of each part against ONNX Runtime's forward pass."""
RUNS = 5
SHAPES: dict[str, Callable[[], torch.nn.Module]] = {
    "resnet18": nets.resnet18,
    "vit_tiny": nets.vit_tiny,
    "mobilenet": nets.mobilenet,
}
CARD = """
title = "{name}"
format = "onnx"
file = "model.onnx"
[[inputs]]
name = "input"
datatype = "FP32"
shape = [-1, 3, 224, 224]
modality = "image"
layout = "NCHW"
[[outputs]]
name = "logits"
datatype = "FP32"
shape = [-1, 1000]
kind = "logits"
"""


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(THREADS)
    with tempfile.TemporaryDirectory() as folder:
        lab = laboratory(_written(Path(folder) / "models"), THREADS)
        measured = [_measured(lab, name) for name in SHAPES]
    ratios = [median(column) for column in list(zip(*measured, strict=True))[-len(BOUNDS) :]]
    rows: list[tuple[object, ...]] = []
    for row in measured:
        rows.append((*row[: -len(BOUNDS)], *(f"{ratio:.2f}" for ratio in row[-len(BOUNDS) :])))
    told = (f"{ratio:.2f}, {met(ratio, bound, at_least=False)}" for ratio, bound in zip(ratios, BOUNDS, strict=True))
    rows.append(("median", *[""] * (1 + len(BOUNDS)), *told))
    parts = ("forward", "forward+backward", "Grad-CAM")
    columns = ("model", "ONNX Runtime forward ms", *(f"{part} ms" for part in parts), *parts)
    show(f"Gradients on ONNX: the translation beside ONNX Runtime's forward pass, {BATCH} pictures of 224 x 224", columns, rows)


def _written(folder: Path) -> Path:
    for name, build in SHAPES.items():
        place = folder / name / "1"
        place.mkdir(parents=True)
        text = CARD.format(name=name)
        card: ModelCard = parse_card(text)
        torch.manual_seed(0)
        content = exported(card, build().eval(), {"input": torch.randn(2, 3, 224, 224)})
        (place / "model.onnx").write_bytes(content)
        (place / "card.toml").write_text(text, encoding="utf-8")
    return folder


def _measured(lab: Local, name: str) -> tuple[Any, ...]:
    """Milliseconds of the four, and the ratios of three to the first."""
    model: Any = lab.load(name).model
    if "gradients" in model.verdict.cannot:
        raise RuntimeError(model.verdict.cannot)
    rows = {"input": np.random.default_rng(0).normal(size=(BATCH, 3, 224, 224)).astype(np.float32)}
    columns = np.zeros(BATCH, dtype=np.int64)
    cam = Probe((chosen(model.layers, "auto", "map").path,), activations=True, gradients=True)
    actions = (
        lambda: model.forward(rows),
        lambda: model._translated.forward(rows),  # what no question asks: the plain forward pass of the translation
        lambda: model.gradients(rows, columns),
        lambda: model.internals(rows, columns, cam),
    )
    for action in actions:
        action()
    taken = rounds(actions, RUNS)
    times = [median(column) for column in zip(*taken, strict=True)]
    ratios = [median(row[part] / row[0] for row in taken) for part in (1, 2, 3)]
    return name, *(f"{1000 * seconds:.0f}" for seconds in times), *ratios


if __name__ == "__main__":
    main()
