"""Tensors made from a few numbers. Their size is bounded."""

from __future__ import annotations

import math

import torch
from torch import nn

from workers.runtimes.onnx.apply import Apply, With
from workers.runtimes.onnx.dtypes import tensor_of, torch_dtype
from workers.runtimes.onnx.limits import sized
from workers.runtimes.onnx.node import Node
from workers.runtimes.onnx.table import builds


@builds("ConstantOfShape")
def constant_of_shape(node: Node) -> nn.Module:
    """One value in a shape."""
    given = node.tensor("value")
    value = torch.zeros(1) if given is None else tensor_of(given, node.label)
    return With(
        "ConstantOfShape",
        value,
        lambda value, shape: value.reshape(()).expand(sized(shape.tolist(), "ConstantOfShape")).clone(),
    )


@builds("Range", inputs=(3, 3))
def range_(node: Node) -> nn.Module:
    """Numbers from start to limit in steps."""

    def ranged(start: torch.Tensor, limit: torch.Tensor, delta: torch.Tensor) -> torch.Tensor:
        first, last, step = (float(number) if number.is_floating_point() else int(number) for number in (start, limit, delta))
        (count,) = sized([max(math.ceil((last - first) / step), 0)], "Range")
        return (torch.arange(count, device=start.device) * step + first).to(start.dtype)

    return Apply("Range", ranged)


@builds("EyeLike")
def eye_like(node: Node) -> nn.Module:
    """A diagonal of ones in the shape of a matrix."""
    diagonal = node.whole("k", 0)
    dtype = torch_dtype(node.whole("dtype"), node.label) if node.given("dtype") else None

    def eye(x: torch.Tensor) -> torch.Tensor:
        ones = torch.ones(x.shape, dtype=dtype or x.dtype, device=x.device)
        return torch.tril(torch.triu(ones, diagonal), diagonal)

    return Apply("EyeLike", eye)
