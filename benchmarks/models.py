"""Write the benchmark's model repository: torch nets as safetensors with an allowed factory, stubs, real cards."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from explainery.settings import Settings, load
from workers.local import Local

FACTORIES = "benchmarks.nets"
TWIN_S = 300.0


def add_net(folder: Path, name: str, factory: str, args: dict[str, Any], row: list[int], columns: int, **more: str) -> None:
    """One torch model with random weights. `more`: further keys of its only input."""
    place = folder / name / "1"
    place.mkdir(parents=True)
    torch.manual_seed(0)
    net = getattr(importlib.import_module(FACTORIES), factory)(**args)
    save_file(dict(net.state_dict()), place / "model.safetensors")
    arguments = ", ".join(f"{key} = {json.dumps(value)}" for key, value in args.items())
    keys = "".join(f"{key} = {json.dumps(value)}\n" for key, value in more.items())
    card = (
        f'title = "{name}"\nformat = "safetensors"\nfile = "model.safetensors"\n'
        f'factory = "{FACTORIES}:{factory}"\nfactory_args = {{{arguments}}}\n'
        f'[[inputs]]\nname = "input"\ndatatype = "FP32"\nshape = {[-1, *row]}\n{keys}'
        f'[[outputs]]\nname = "logits"\ndatatype = "FP32"\nshape = {[-1, columns]}\nkind = "logits"\n'
    )
    (place / "card.toml").write_text(card, encoding="utf-8")


def add_stub(folder: Path, name: str, features: int, **stub: Any) -> None:
    """A closed-form model."""
    place = folder / name / "1"
    place.mkdir(parents=True)
    table = "".join(f"{key} = {json.dumps(value)}\n" for key, value in stub.items())
    card = (
        f'title = "{name}"\nformat = "stub"\n'
        f'[[inputs]]\nname = "input"\ndatatype = "FP64"\nshape = [-1, {features}]\n'
        f'[[outputs]]\nname = "score"\ndatatype = "FP64"\nshape = [-1]\nkind = "regression"\n[stub]\n{table}'
    )
    (place / "card.toml").write_text(card, encoding="utf-8")


def write_all(folder: Path) -> Path:
    """Every model of the benchmarks."""
    image = {"modality": "image", "layout": "NCHW"}
    add_net(folder, "mlp", "mlp", {"features": 12}, [12], 3)
    add_net(folder, "small-cnn", "small_cnn", {}, [1, 8, 8], 10, **image)
    add_net(folder, "resnet18", "resnet18", {}, [3, 224, 224], 1000, **image)
    add_stub(folder, "no-op", 4, form="linear", weights=[1.0, 2.0, 3.0, 4.0])
    return folder


def laboratory(folder: Path, threads: int, twin_after_s: float = 0.0) -> Local:
    """The engine over the repository, in this process. Twins are made as soon as a model is asked for again; -1: never."""
    settings: Settings = load({})
    own = {"home": folder.parent, "models": str(folder), "factories": (FACTORIES,)}
    return Local(dataclasses.replace(settings, **own, threads=threads, device="cpu", workers=1, twin_after_s=twin_after_s))  # type: ignore[arg-type]


def with_twin(lab: Local, model: str) -> Any:
    """A loaded model whose values ONNX Runtime answers."""
    settings = {"HOME": lab.settings.home, "MODELS": lab.settings.models, "FACTORIES": FACTORIES, "DEVICE": "cpu"}
    os.environ.update({f"EXPLAINERY_{name}": str(value) for name, value in settings.items()})  # the maker reads them
    ends = time.monotonic() + TWIN_S
    while not (loaded := lab.load(model).model).has_twin:
        if time.monotonic() > ends:
            raise RuntimeError((lab.settings.home / "twins.log").read_text())
        time.sleep(0.2)
    return loaded
