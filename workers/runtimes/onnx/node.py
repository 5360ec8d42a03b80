"""One node of a graph as its builder sees it: attributes that must all be read, inputs that may be constant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import AttributeProto, helper
from torch import nn

from workers.runtimes.onnx.dtypes import array_of, tensor_of
from workers.runtimes.onnx.refusal import Untranslatable, label

Constants = Callable[[str], NDArray[Any] | None]
"""A tensor's name -> its value where that is known before the graph runs."""


class Node:
    """A node: what it is called, its version, and typed access to attributes and constant inputs.

    `version`: the opset of the node's domain that the model imports. `inputs`: names, "" where one is left out.
    """

    def __init__(
        self,
        proto: Any,
        version: int,
        constants: Constants,
        kinds: Callable[[str], int | None],
        subgraph: Callable[[Any], nn.Module],
    ) -> None:
        self.op: str = proto.op_type
        self.domain: str = "" if proto.domain == "ai.onnx" else proto.domain
        self.version = version
        self.inputs: tuple[str, ...] = tuple(proto.input)
        self.outputs: tuple[str, ...] = tuple(proto.output)
        self.absorbed: set[int] = set()
        self.approximate = False
        """Set by builders whose gradient is not the derivative of what they compute (rounding)."""
        self._attributes = {attribute.name: attribute for attribute in proto.attribute}
        self._unread = set(self._attributes)
        self._constants = constants
        self._kinds = kinds
        self._subgraph = subgraph

    @property
    def label(self) -> str:
        """The operator's name with its domain."""
        return label(self.domain, self.op)

    def refuse(self, why: str) -> NoReturn:
        """Raise Untranslatable: "<operator> <why>"."""
        raise Untranslatable(f"{self.label} {why}")

    # --- inputs

    def has(self, index: int) -> bool:
        """Whether the input is given."""
        return index < len(self.inputs) and bool(self.inputs[index])

    def wants(self, index: int) -> bool:
        """Whether the output is named."""
        return index < len(self.outputs) and bool(self.outputs[index])

    def constant(self, index: int) -> NDArray[Any] | None:
        """The input's value where it is known now; the module is still given the input."""
        return self._constants(self.inputs[index]) if self.has(index) else None

    def absorb(self, index: int) -> NDArray[Any] | None:
        """The input's value where it is known now or None; when known, the module is not given this input."""
        value = self.constant(index)
        if value is not None or not self.has(index):
            self.absorbed.add(index)
        return value

    def absorb_tensor(self, index: int) -> torch.Tensor | None:
        """Like `absorb`, as a tensor."""
        value = self.absorb(index)
        return None if value is None else tensor_of(value, self.label)

    def kind(self, index: int) -> int | None:
        """The input's ONNX element type, where the file says it."""
        return self._kinds(self.inputs[index]) if self.has(index) else None

    def need(self, index: int, what: str) -> NDArray[Any]:
        """Like `absorb`, and refuses when the value is computed by the graph."""
        value = self.absorb(index)
        if value is None:
            self.refuse(f"with {what} that the graph computes is not translated")
        return value

    def drop(self, index: int) -> None:
        """Leave the input out of what the module is given."""
        self.absorbed.add(index)

    @property
    def passed(self) -> tuple[str, ...]:
        """Names of the inputs that the module is given, in order."""
        return tuple(name for index, name in enumerate(self.inputs) if index not in self.absorbed)

    # --- attributes

    def given(self, name: str) -> bool:
        """Whether the attribute is there."""
        return name in self._attributes

    def whole(self, name: str, default: int | None = None) -> int:
        """An integer attribute."""
        return int(self._read(name, AttributeProto.INT, default))

    def number(self, name: str, default: float | None = None) -> float:
        """A float attribute."""
        return float(self._read(name, AttributeProto.FLOAT, default))

    def text(self, name: str, default: str | None = None) -> str:
        """A string attribute."""
        value = self._read(name, AttributeProto.STRING, default)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

    def wholes(self, name: str) -> list[int] | None:
        """A list of integers, or None."""
        found: list[int] | None = self._list(name, AttributeProto.INTS, int)
        return found

    def numbers(self, name: str) -> list[float] | None:
        """A list of floats, or None."""
        found: list[float] | None = self._list(name, AttributeProto.FLOATS, float)
        return found

    def texts(self, name: str) -> list[str] | None:
        """A list of strings, or None."""
        found: list[str] | None = self._list(name, AttributeProto.STRINGS, lambda text: text.decode("utf-8", "replace"))
        return found

    def tensor(self, name: str) -> NDArray[Any] | None:
        """A tensor attribute, or None."""
        proto = self._read(name, AttributeProto.TENSOR, _NONE)
        return None if proto is _NONE else array_of(proto, self.label)

    def graph(self, name: str) -> nn.Module:
        """A graph attribute, translated."""
        return self._subgraph(self._read(name, AttributeProto.GRAPH, None))

    def graph_outputs(self, name: str) -> int:
        """How many outputs the graph attribute has."""
        return len(self._read(name, AttributeProto.GRAPH, None).output)

    def ignore(self, *names: str) -> None:
        """Read attributes that change nothing of what is computed."""
        self._unread -= set(names)

    def check_all_read(self) -> None:
        """Refuse attributes that no builder line looked at: to ignore one is to be silently wrong."""
        if self._unread:
            self.refuse(f"has the attribute {label('', sorted(self._unread)[0])}, which is not translated")

    def _read(self, name: str, kind: int, default: Any) -> Any:
        self._unread.discard(name)
        attribute = self._attributes.get(name)
        if attribute is None:
            if default is None:
                self.refuse(f"lacks its attribute {name}")
            return default
        if attribute.type != kind or attribute.ref_attr_name:
            self.refuse(f"has the attribute {name} of a wrong type")
        return helper.get_attribute_value(attribute)

    def _list(self, name: str, kind: int, convert: Callable[[Any], Any]) -> Any:
        values = self._read(name, kind, _NONE)
        return None if values is _NONE else [convert(value) for value in values]


_NONE: Any = object()


def scalar(array: NDArray[Any]) -> Any:
    """The one element of an array, as Python's own number."""
    return np.asarray(array).reshape(-1)[0].item()
