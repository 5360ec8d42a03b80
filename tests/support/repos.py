"""Write small model repositories for tests: real files, fixed seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def write(folder: Path, name: str, card: str, files: Mapping[str, bytes] | None = None, version: int = 1) -> Path:
    """Write one version of a model; return its folder."""
    place = Path(folder) / name / str(version)
    place.mkdir(parents=True, exist_ok=True)
    for file, content in (files or {}).items():
        (place / file).write_bytes(content)
    (place / "card.toml").write_text(card, encoding="utf-8")
    return place


def tensor_input(name: str, shape: Sequence[int], datatype: str = "FP32", modality: str = "tensor", **more: Any) -> str:
    """One [[inputs]] table."""
    lines = [f'name = "{name}"', f'datatype = "{datatype}"', f"shape = {[-1, *shape]}", f'modality = "{modality}"']
    lines += [f"{key} = {toml(value)}" for key, value in more.items()]
    return "[[inputs]]\n" + "\n".join(lines) + "\n"


def output(
    columns: int | None, name: str = "score", kind: str = "scores", datatype: str = "FP32", labels: Sequence[str] = ()
) -> str:
    """One [[outputs]] table; `columns` None for a one-dimensional output."""
    shape = [-1] if columns is None else [-1, columns]
    named = f"labels = {json.dumps(list(labels))}\n" if labels else ""
    return f'[[outputs]]\nname = "{name}"\ndatatype = "{datatype}"\nshape = {shape}\nkind = "{kind}"\n{named}'


def toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f'"{key}" = {toml(part)}' for key, part in value.items()) + "}"
    return json.dumps(value)


def add_stub(
    folder: Path,
    name: str,
    features: int,
    form: str = "linear",
    columns: int | None = 1,
    inputs: str = "",
    version: int = 1,
    **stub: Any,
) -> Path:
    """A closed-form model over FP64 tensors."""
    table = "".join(f"{key} = {toml(value)}\n" for key, value in {"form": form, **stub}.items())
    body = inputs or tensor_input("input", [features], "FP64")
    card = f'title = "{form}"\nformat = "stub"\n{body}{output(columns, datatype="FP64")}[stub]\n{table}'
    return write(folder, name, card, version=version)


def add_torch(
    folder: Path,
    name: str,
    factory: str,
    args: Mapping[str, Any],
    inputs: str,
    outputs: str,
    seed: int = 0,
    more: str = "",
    version: int = 1,
) -> Path:
    """A torch model from a factory, its weights drawn from `seed`, saved as safetensors."""
    import importlib

    import torch
    from safetensors.torch import save

    module, function = factory.split(":")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = getattr(importlib.import_module(module), function)(**args)
    card = (
        f'title = "{name}"\nformat = "safetensors"\nfile = "model.safetensors"\nfactory = "{factory}"\n'
        f"factory_args = {toml(args)}\n{more}{inputs}{outputs}"
    )
    return write(folder, name, card, {"model.safetensors": save(dict(net.state_dict()))}, version)


def add_onnx(
    folder: Path, name: str, nodes: Sequence[Any], weights: Mapping[str, np.ndarray], inputs: str, outputs: str, **shapes: Any
) -> Path:
    """An ONNX model from nodes that read `input` and write `score`. `shapes`: input and output shapes of the graph."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        list(nodes),
        name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shapes["input"])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, shapes["score"])],
        [numpy_helper.from_array(np.asarray(array), key) for key, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    card = f'title = "{name}"\nformat = "onnx"\nfile = "model.onnx"\n{inputs}{outputs}'
    return write(folder, name, card, {"model.onnx": model.SerializeToString()})


def add_onnx_file(
    folder: Path, name: str, model: Any, features: int, columns: int, score: str = "variable", **more: Any
) -> Path:
    """An ONNX file that somebody else made, of one table `input`."""
    inputs = tensor_input("input", [features], modality="tabular", **more)
    card = f'title = "{name}"\nformat = "onnx"\nfile = "model.onnx"\n{inputs}{output(columns, score)}'
    return write(folder, name, card, {"model.onnx": model.SerializeToString()})


def add_onnx_linear(folder: Path, name: str, weights: np.ndarray, batch: str | int = "n", **more: Any) -> Path:
    """score = input @ weights, as ONNX. `weights`: float32 [features, columns]."""
    from onnx import helper

    features, columns = weights.shape
    node = helper.make_node("MatMul", ["input", "w"], ["score"])
    return add_onnx(
        folder, name, [node], {"w": weights.astype(np.float32)}, tensor_input("input", [features], **more),
        output(columns), input=[batch, features], score=[batch, columns],
    )  # fmt: skip
