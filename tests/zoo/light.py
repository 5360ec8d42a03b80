"""The onnx package's `light_*` files: real graphs of image nets, whose weights are constants. Here they get random weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

FOLDER = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
NAMES = tuple(sorted(path.stem.removeprefix("light_") for path in FOLDER.glob("light_*.onnx")))
OUTPUT = ""
"""The first one."""


def make(name: str) -> bytes:
    """The file with every large constant drawn anew, scaled so that signals neither die nor explode."""
    model = onnx.load_model(FOLDER / f"light_{name}.onnx")
    rng = np.random.Generator(np.random.Philox(0))
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    kept = []
    for node in model.graph.node:
        if node.op_type != "ConstantOfShape" or node.input[0] not in shapes:
            kept.append(node)
            continue
        shape = [int(size) for size in shapes[node.input[0]]]
        model.graph.initializer.append(numpy_helper.from_array(_drawn(shape, rng), node.output[0]))
    del model.graph.node[:]
    model.graph.node.extend(kept)
    content: bytes = model.SerializeToString()
    return content


def _drawn(shape: list[int], rng: np.random.Generator) -> NDArray[np.float32]:
    """He's scale for matrices and filters; for vectors (biases, scales, variances) positive numbers near one half."""
    if len(shape) < 2:
        return (0.5 + 0.1 * rng.random(shape, dtype=np.float32)).astype(np.float32)
    inputs = int(np.prod(shape[1:]))
    return (rng.standard_normal(shape, dtype=np.float32) * np.float32((2 / inputs) ** 0.5)).astype(np.float32)


def inputs(name: str) -> Mapping[str, NDArray[Any]]:
    """One random picture."""
    model = onnx.load_model(FOLDER / f"light_{name}.onnx")
    held = {tensor.name for tensor in model.graph.initializer}
    (value,) = [value for value in model.graph.input if value.name not in held]
    shape = [size.dim_value for size in value.type.tensor_type.shape.dim]
    return {value.name: np.random.Generator(np.random.Philox(1)).normal(size=shape).astype(np.float32)}
