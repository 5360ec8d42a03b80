"""Matrix products: nn.Linear where one factor is a constant matrix."""

from __future__ import annotations

import torch
from torch import nn

from workers.runtimes.onnx.apply import Apply, frozen
from workers.runtimes.onnx.dtypes import tensor_of
from workers.runtimes.onnx.node import Node
from workers.runtimes.onnx.table import builds


def linear(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Linear:
    """An nn.Linear with these weights [outputs, inputs]."""
    module = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
    module.weight = frozen(weight)
    module.bias = None if bias is None else frozen(bias)  # type: ignore[assignment]  # as nn.Linear itself has it
    return module


@builds("MatMul", inputs=(2, 2))
def matmul(node: Node) -> nn.Module:
    """With a constant matrix on the right, a layer; else a product of tensors."""
    weight = node.constant(1)
    if weight is not None and weight.ndim == 2 and weight.dtype.kind == "f":
        node.drop(1)
        return linear(tensor_of(weight, node.label).T, None)
    return Apply("MatMul", torch.matmul)


@builds("Gemm", inputs=(2, 3))
def gemm(node: Node) -> nn.Module:
    """Alpha A' B' + beta C: a layer where B is a constant matrix and C a constant vector."""
    alpha, beta = node.number("alpha", 1.0), node.number("beta", 1.0)
    turn_a, turn_b = bool(node.whole("transA", 0)), bool(node.whole("transB", 0))
    weight, bias = node.constant(1), node.constant(2)
    plain = weight is not None and weight.ndim == 2 and weight.dtype.kind == "f" and not turn_a
    columns = weight.shape[0 if turn_b else 1] if plain and weight is not None else 0
    if plain and weight is not None and (not node.has(2) or _is_row(bias, columns)):
        node.drop(1)
        node.drop(2)
        matrix = tensor_of(weight, node.label) * alpha
        row = None if bias is None else tensor_of(bias, node.label).reshape(columns) * beta
        return linear(matrix if turn_b else matrix.T, row)

    def product(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor | None = None) -> torch.Tensor:
        answer = torch.matmul(a.T if turn_a else a, b.T if turn_b else b)
        answer = answer if alpha == 1 else answer * alpha
        return answer if c is None else answer + (c if beta == 1 else c * beta)

    return Apply("Gemm", product)


def _is_row(bias: object, columns: int) -> bool:
    size, shape = getattr(bias, "size", 0), getattr(bias, "shape", ())
    return size == columns and tuple(shape) in ((columns,), (1, columns))


@builds("Einsum", inputs=(1, None))
def einsum(node: Node) -> nn.Module:
    """A sum of products by its equation."""
    equation = node.text("equation").replace(" ", "")
    return Apply("Einsum", lambda *tensors: torch.einsum(equation, *tensors))


@builds("Det")
def det(node: Node) -> nn.Module:
    """Determinants of matrices."""
    return Apply("Det", torch.linalg.det)
