"""An ONNX graph as a torch module: one module per node, from the table of builders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import AttributeProto, helper
from torch import nn

from workers.runtimes.onnx import builders as _builders  # noqa: F401  # importing them fills the table
from workers.runtimes.onnx.dtypes import array_of, tensor_of
from workers.runtimes.onnx.expand import opsets, prepared
from workers.runtimes.onnx.graph import Graph, Step
from workers.runtimes.onnx.limits import MAX_DEPTH, MAX_FOLDED
from workers.runtimes.onnx.node import Node
from workers.runtimes.onnx.refusal import Untranslatable, label
from workers.runtimes.onnx.scopes import scopes_of
from workers.runtimes.onnx.table import build

Array = NDArray[Any]

SAME_SIZE = frozenset({"Cast", "CastLike", "DequantizeLinear", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
"""Computed while translating when all inputs are constant: what comes out is as large as what the file holds."""
SMALL = frozenset(
    {
        "Add",
        "Concat",
        "Div",
        "Equal",
        "Floor",
        "Gather",
        "Mul",
        "Neg",
        "Not",
        "Reciprocal",
        "Shape",
        "Size",
        "Slice",
        "Sqrt",
        "Sub",
        "Where",
    }
)
"""Likewise, for small inputs: arithmetic of shapes, axes and scales."""


@dataclass(frozen=True, eq=False)
class Translation:
    """A graph as a module. `outputs`: what it was pruned to. `approximate`: operators whose gradient is not the derivative."""

    graph: Graph
    outputs: tuple[str, ...]
    approximate: tuple[str, ...]


def translate(model: Any, outputs: Iterable[str]) -> Translation:
    """Translate what the outputs need. Raises Untranslatable, which names the operator; nothing else but MemoryError."""
    outputs = tuple(outputs)
    try:
        ready, weights = prepared(model, outputs)
        return _Translator(opsets(ready)).translate(ready.graph, weights, outputs)
    except (Untranslatable, MemoryError):
        raise
    except Exception as error:  # a file may be wrong in any way
        raise Untranslatable(f"the graph cannot be read ({type(error).__name__})") from error


class _Scope:
    """Constants of a graph and of the graphs around it, decoded when they are first asked for."""

    def __init__(self, parent: _Scope | None) -> None:
        self.depth: int = 0 if parent is None else parent.depth + 1
        self._parent = parent
        self._encoded: dict[str, Any] = {}
        self._values: dict[str, Array] = {}
        self._tensors: dict[str, torch.Tensor] = {}
        self.kinds: dict[str, int] = {}
        """Element types that the file states."""
        self.own: set[str] = set()
        """Names that this graph computes or is given; they hide those of the graphs around it."""

    def encode(self, name: str, proto: Any) -> None:
        """Note an initializer."""
        self._encoded[name] = proto
        self.kinds[name] = proto.data_type

    def kind(self, name: str) -> int | None:
        """The element type that the file states, or None."""
        if name in self.kinds or name in self.own or self._parent is None:
            return self.kinds.get(name)
        return self._parent.kind(name)

    def note(self, name: str, value: Array) -> None:
        """Note a value that was found while translating."""
        self._values[name] = value

    def value(self, name: str) -> Array | None:
        """The constant's value, or None."""
        if name in self._values:
            return self._values[name]
        if name in self._encoded:
            self._values[name] = array_of(self._encoded[name])
            return self._values[name]
        return None if name in self.own or self._parent is None else self._parent.value(name)

    def tensor(self, name: str) -> torch.Tensor:
        """The constant as a tensor, one for all who read it."""
        if name in self._values or name in self._encoded:
            if name not in self._tensors:
                value = self.value(name)
                self._tensors[name] = tensor_of(np.zeros(0) if value is None else value)
            return self._tensors[name]
        if self._parent is None:
            raise KeyError(name)
        return self._parent.tensor(name)


class _Translator:
    def __init__(self, versions: dict[str, int]) -> None:
        self._versions = versions
        self._approximate: list[str] = []

    def translate(self, proto: Any, weights: Iterable[Any], outputs: tuple[str, ...]) -> Translation:
        graph = self._graph(proto, None, weights)
        if graph.free:
            raise Untranslatable(f"nothing makes the tensor {label('', graph.free[0])}")
        return Translation(graph, outputs, tuple(dict.fromkeys(self._approximate)))

    def _graph(self, proto: Any, parent: _Scope | None, weights: Iterable[Any] = ()) -> Graph:
        scope = _Scope(parent)
        if scope.depth > MAX_DEPTH:
            raise Untranslatable(f"graphs are nested more than {MAX_DEPTH} deep")
        if len(proto.sparse_initializer):
            raise Untranslatable("a sparse weight is not translated")
        initial = {tensor.name: tensor for tensor in (*proto.initializer, *weights)}
        for name, tensor in initial.items():
            scope.encode(name, tensor)
        inputs = [value.name for value in proto.input if value.name not in initial]
        scope.kinds |= {
            value.name: value.type.tensor_type.elem_type
            for value in (*proto.value_info, *proto.input, *proto.output)
            if value.type.HasField("tensor_type") and value.type.tensor_type.elem_type
        }
        scope.own = set(inputs) | {name for node in proto.node for name in node.output if name}
        nodes: list[tuple[Step, nn.Module]] = []
        for node in proto.node:
            made = self._node(node, scope, len(nodes))
            if made is not None:
                nodes.append(made)
        outputs = [value.name for value in proto.output]
        read = [name for step, _ in nodes for name in step.inputs if name] + outputs
        constants = {name: scope.tensor(name) for name in dict.fromkeys(read) if scope.value(name) is not None}
        return Graph(inputs, outputs, nodes, constants)

    def _node(self, proto: Any, scope: _Scope, index: int) -> tuple[Step, nn.Module] | None:
        """The node's step and module, or None when its outputs are constant."""
        domain = "" if proto.domain == "ai.onnx" else proto.domain
        if (domain, proto.op_type) == ("", "Constant"):
            scope.note(proto.output[0], _constant(proto))
            if proto.attribute[0].type == AttributeProto.TENSOR:
                scope.kinds[proto.output[0]] = proto.attribute[0].t.data_type
            return None
        if domain not in self._versions:
            raise Untranslatable(f"{label(domain, proto.op_type)} is of a domain that the model does not import")
        node = Node(proto, self._versions[domain], scope.value, scope.kind, lambda graph: self._graph(graph, scope))
        module = build(node)
        if self._folded(node, module, scope):
            return None
        if node.approximate:
            self._approximate.append(node.label)
        step = Step(index, node.label, label("", proto.name), node.passed, node.outputs, scopes_of(proto))
        return step, module

    def _folded(self, node: Node, module: nn.Module, scope: _Scope) -> bool:
        """Compute the node now where all inputs are constant and what comes out is small, or no larger than the file."""
        if node.domain or len(node.outputs) != 1 or node.op not in SAME_SIZE | SMALL:
            return False
        values = [scope.value(name) for name in node.inputs if name]
        if any(value is None for value in values):
            return False
        if node.op in SMALL and sum(value.size for value in values if value is not None) > MAX_FOLDED:
            return False
        with torch.no_grad():
            found = module(*(scope.tensor(name) if name else None for name in node.passed))
        if found.dtype == torch.bfloat16 or (node.op in SMALL and found.numel() > MAX_FOLDED):
            return False
        scope.note(node.outputs[0], found.numpy())
        return True


def _constant(proto: Any) -> Array:
    """A Constant node's value in any of its forms. Refuses strings and sparse tensors."""
    (attribute,) = proto.attribute
    value = helper.get_attribute_value(attribute)
    if attribute.type == AttributeProto.TENSOR:
        return array_of(value, "Constant")
    if attribute.type in (AttributeProto.INT, AttributeProto.INTS):
        return np.asarray(value, dtype=np.int64)
    if attribute.type in (AttributeProto.FLOAT, AttributeProto.FLOATS):
        return np.asarray(value, dtype=np.float32)
    raise Untranslatable("Constant holds a text or a sparse tensor, which is not translated")


def read_model(content: bytes) -> Any:
    """The bytes as a ModelProto."""
    return onnx.load_model_from_string(content)
