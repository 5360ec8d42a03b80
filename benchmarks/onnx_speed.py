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
from explainery.contract.model_card import ModelCard, parse_card
from workers.local import Local
from workers.twin_export import exported

THREADS = 2
BATCH = 4
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
    forward, both = (median(column) for column in list(zip(*measured, strict=True))[4:])
    rows = [(*row[:4], f"{row[4]:.2f}", f"{row[5]:.2f}", f"{row[6]}") for row in ((*row, "") for row in measured)]
    bounds = f"{met(forward, 3.0, at_least=False)}, {met(both, 6.0, at_least=False)}"
    rows.append(("median", "", "", "", f"{forward:.2f}", f"{both:.2f}", bounds))
    columns = ("model", "ONNX Runtime forward ms", "forward ms", "forward+backward ms", "forward", "forward+backward", "bounds")
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
    """Milliseconds of the three, and both ratios."""
    model: Any = lab.load(name).model
    if model.verdict.cannot:
        raise RuntimeError(model.verdict.cannot)
    rows = {"input": np.random.default_rng(0).normal(size=(BATCH, 3, 224, 224)).astype(np.float32)}
    columns = np.zeros(BATCH, dtype=np.int64)
    actions = (
        lambda: model.forward(rows),
        lambda: model._translated.forward(rows),  # what no question asks: the plain forward pass of the translation
        lambda: model.gradients(rows, columns),
    )
    for action in actions:
        action()
    taken = rounds(actions, RUNS)
    times = [median(column) for column in zip(*taken, strict=True)]
    ratios = [median(row[part] / row[0] for row in taken) for part in (1, 2)]
    return name, *(f"{1000 * seconds:.0f}" for seconds in times), *ratios


if __name__ == "__main__":
    main()
