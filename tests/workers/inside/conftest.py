"""Models to look into, on disk, and the very modules that they were saved from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import inner_nets
import numpy as np
import pytest
import repos
import torch
from numpy.typing import NDArray
from torch import nn

from explainery.settings import load
from workers.local import Local

PICTURE = repos.tensor_input("input", [3, 16, 16], modality="image", layout="NCHW")
SERIES = repos.tensor_input("input", [10, 4], modality="series")
TOKENS = repos.tensor_input("input", [9, 8])
IDS = repos.tensor_input("input", [12], "INT64")
MODELS: dict[str, tuple[str, dict[str, Any], str, int]] = {
    "vgg": ("vgg", {}, PICTURE, 5),
    "resnet": ("resnet", {}, PICTURE, 5),
    "lstm": ("recurrent", {}, SERIES, 3),
    "bi-gru": ("recurrent", {"kind": "gru", "both": True}, SERIES, 3),
    "rnn": ("recurrent", {"kind": "rnn"}, SERIES, 3),
    "encoder": ("encoder", {}, TOKENS, 3),
    "encoder-second": ("encoder", {"batch_first": False}, TOKENS, 3),
    "bert": ("bert", {}, IDS, 3),
    "bert-open": ("bert", {"kernel": False}, IDS, 3),
    "vit": ("vit", {}, PICTURE, 5),
    "vit-mean": ("vit", {"class_token": False}, PICTURE, 5),
}
"""Name -> factory, its arguments, the input's table in the card, output columns."""


@pytest.fixture(scope="session")
def inner_lab(tmp_path_factory: pytest.TempPathFactory) -> Local:
    """The engine over all of them."""
    folder = tmp_path_factory.mktemp("inner")
    for name, (factory, args, table, columns) in MODELS.items():
        repos.add_torch(folder, name, f"inner_nets:{factory}", args, table, repos.output(columns))
    return Local(dataclasses.replace(load({}), models=str(folder), factories=("inner_nets",), device="cpu", threads=1))


@pytest.fixture(scope="session")
def module() -> Callable[[str], nn.Module]:
    """The module of a model, built as its file was: fresh, for a reference to do with as it likes."""

    def build(name: str) -> nn.Module:
        factory, args, _, _ = MODELS[name]
        if factory == "resnet":  # the same net, without the ReLU in place that references stumble over
            args = args | {"reused": False}
        with torch.random.fork_rng():
            torch.manual_seed(0)
            built: nn.Module = getattr(inner_nets, factory)(**args)
        return built.eval()

    return build


@pytest.fixture(scope="session")
def rows() -> Callable[..., NDArray[Any]]:
    """Fixed rows for a model."""

    def make(name: str, count: int = 3) -> NDArray[Any]:
        rng = np.random.Generator(np.random.Philox(key=[3, len(name)]))
        table = MODELS[name][2]
        if table == IDS:
            return rng.integers(1, 30, size=(count, 12))
        shape = {PICTURE: (3, 16, 16), SERIES: (10, 4), TOKENS: (9, 8)}[table]
        return rng.normal(size=(count, *shape)).astype(np.float32)

    return make
