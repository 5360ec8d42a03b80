"""Small ONNX graphs for tests, and what ONNX Runtime and central differences say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from workers.runtimes.onnx.translate import Translation, translate

Arrays = Mapping[str, NDArray[Any]]


def model_of(
    nodes: Sequence[Any],
    inputs: Arrays,
    weights: Arrays | None = None,
    outputs: Sequence[str] = ("y",),
    opset: int = 17,
    domains: Mapping[str, int] | None = None,
) -> Any:
    """A model of nodes. Inputs have the arrays' types and open shapes; outputs are floats of open shapes."""
    values = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), [None] * array.ndim)
        for name, array in inputs.items()
    ]
    graph = helper.make_graph(
        list(nodes), "g", values, [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset)] + [helper.make_opsetid(*pair) for pair in (domains or {}).items()]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def by_runtime(model: Any, inputs: Arrays, outputs: Sequence[str] = ("y",)) -> list[NDArray[Any]]:
    """What ONNX Runtime answers."""
    options = ort.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(list(outputs), dict(inputs)))


def by_translation(
    translation: Translation, inputs: Arrays, outputs: Sequence[str] = ("y",), dtype: Any = None
) -> list[torch.Tensor]:
    """What the translation answers, in its own precision or, with `dtype`, in another."""
    graph = translation.graph if dtype is None else translation.graph.to(dtype)
    feeds = {}
    for name, array in inputs.items():
        tensor = torch.from_numpy(np.array(array))
        feeds[name] = tensor.to(dtype) if dtype is not None and tensor.is_floating_point() else tensor
    found = graph.run(feeds, outputs)
    return [found[name] for name in outputs]


def check(
    model: Any, inputs: Arrays, outputs: Sequence[str] = ("y",), *, tolerance: float = 1e-5, gradient: bool = True
) -> Translation:
    """Compare a model's translation with ONNX Runtime, and its gradient in float64 with central differences."""
    expected = by_runtime(model, inputs, outputs)
    translation = translate(model, outputs)
    for one, other in zip(by_translation(translation, inputs, outputs), expected, strict=True):
        assert tuple(one.shape) == other.shape
        np.testing.assert_allclose(one.numpy(), other, rtol=tolerance, atol=tolerance)
    on_another_device(model, inputs, outputs)
    if gradient:
        assert slope_error(translation, inputs, outputs[0]) < 1e-4
    return translation


def on_another_device(model: Any, inputs: Arrays, outputs: Sequence[str]) -> None:
    """Run where there are shapes and no numbers: a tensor that is made on the CPU instead meets the others there."""
    graph = translate(model, outputs).graph.to("meta")
    try:
        graph.run({name: torch.from_numpy(np.array(array)).to("meta") for name, array in inputs.items()}, outputs)
    except (RuntimeError, NotImplementedError) as error:  # what needs numbers cannot be run there
        if "same device" in str(error):
            raise


def slope_error(translation: Translation, inputs: Arrays, output: str = "y", seed: int = 0, step: float = 1e-6) -> float:
    """The largest difference of directional derivatives from central differences, in float64, relative to their size."""
    rng = np.random.Generator(np.random.Philox(seed))
    graph = translation.graph.double()
    fixed = {name: torch.from_numpy(np.array(array)) for name, array in inputs.items() if array.dtype.kind != "f"}
    leaves = {name: torch.tensor(array, dtype=torch.float64) for name, array in inputs.items() if array.dtype.kind == "f"}
    for leaf in leaves.values():
        leaf.requires_grad_()
    answer = graph.run({**fixed, **leaves}, (output,))[output]
    weights = torch.from_numpy(rng.normal(size=tuple(answer.shape)))
    total = (answer * weights).sum()
    slopes: Sequence[torch.Tensor] = [torch.zeros_like(leaf) for leaf in leaves.values()]
    if total.requires_grad:
        slopes = torch.autograd.grad(total, list(leaves.values()), allow_unused=True, materialize_grads=True)
    worst = 0.0
    for _ in range(3):
        way = {name: torch.from_numpy(rng.normal(size=tuple(leaf.shape))) for name, leaf in leaves.items()}
        ends = []
        with torch.no_grad():
            for sign in (1, -1):
                moved = {name: leaf.detach() + sign * step * way[name] for name, leaf in leaves.items()}
                ends.append((graph.run({**fixed, **moved}, (output,))[output] * weights).sum())
        expected = float(ends[0] - ends[1]) / (2 * step)
        found = float(sum((slope * way[name]).sum() for name, slope in zip(leaves, slopes, strict=True)))
        worst = max(worst, abs(found - expected) / max(1.0, abs(expected)))
    return worst


def rows(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    """Seeded normal numbers."""
    return np.random.Generator(np.random.Philox(seed)).normal(size=shape).astype(np.float32)


def node(op: str, inputs: Sequence[str], outputs: Sequence[str] = ("y",), domain: str = "", **attributes: Any) -> Any:
    """A node."""
    return helper.make_node(op, list(inputs), list(outputs), domain=domain, **attributes)


FLOAT = TensorProto.FLOAT
