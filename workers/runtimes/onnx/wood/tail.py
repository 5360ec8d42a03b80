"""From the explained output back to the trees: what lies between is added, scaled, picked, or a function that is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workers.questions import Floats
from workers.runtimes.onnx.refusal import Untranslatable, label
from workers.runtimes.onnx.wood.ensembles import CLASSIFIER, ENSEMBLES, ensemble_of
from workers.runtimes.onnx.wood.grown import Grown, Link, beside

PASSED = ("Identity", "Cast", "Flatten")
"""What may lie between input, ensemble and output: it changes no number (parity is measured)."""
MOST_STEPS = 256
"""Nodes that are gone back over: what is added to itself again and again would never end."""


class Tail:
    """The graph of a file, read backwards from an output."""

    def __init__(self, model: Any) -> None:
        from onnx import numpy_helper

        self._made = {name: (node, place) for node in model.graph.node for place, name in enumerate(node.output)}
        self._constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self._steps = 0

    def grown(self, name: str) -> Grown:
        """What trees make of a tensor. Raises Untranslatable with what lies in the way."""
        if name not in self._made:
            raise Untranslatable("the explained output is not an ensemble of trees: it is made of the input itself")
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise Untranslatable("too much lies between the trees and the explained output")
        node, place = self._made[name]
        if node.op_type in ENSEMBLES:
            return self._ensemble(node, place)
        if node.op_type in PASSED:
            return self.grown(node.input[0])
        if node.op_type not in _STEPS:
            raise Untranslatable(
                f"the explained output is not an ensemble of trees: it is made by {label(node.domain, node.op_type)}"
            )
        return _STEPS[node.op_type](self, node)

    def constant(self, name: str) -> Any | None:
        """A tensor that the file holds; None where it is computed."""
        if name in self._constants:
            return self._constants[name]
        node, _ = self._made.get(name, (None, 0))
        if node is not None and node.op_type in PASSED:
            return self.constant(node.input[0])
        if node is None or node.op_type != "Constant" or not (node.attribute and node.attribute[0].name == "value"):
            return None
        from onnx import numpy_helper

        return numpy_helper.to_array(node.attribute[0].t)

    def _ensemble(self, node: Any, place: int) -> Grown:
        name = node.input[0]
        while name in self._made and self._made[name][0].op_type in PASSED:
            name = self._made[name][0].input[0]
        if name in self._made:
            raise Untranslatable("the trees do not read the input itself")
        if node.op_type == CLASSIFIER and place == 0:
            raise Untranslatable("the explained output is the predicted label")
        return ensemble_of(node)


def _arithmetic(tail: Tail, node: Any) -> Grown:
    """Add, Sub, Mul and Div with a constant; Add and Sub of sums of trees."""
    operation, (left, right) = node.op_type, (tail.constant(name) for name in node.input)
    if left is None and right is None and operation in ("Add", "Sub"):
        return _summed(tail, node)
    if (left is None and right is None) or (operation == "Div" and left is not None):
        raise Untranslatable(f"{operation} behind the trees is no scaling by a constant")
    first = left is not None
    grown = tail.grown(node.input[1 if first else 0])
    if (
        operation == "Sub"
        and first
        and np.asarray(left).tolist() in (1, [1], [[1]])
        and (other := grown.opposite()) is not None
    ):
        return other
    columns = len(grown.columns)
    given = _per_column(left if first else right, columns)
    wide = np.eye(columns) if len(given) == columns else np.ones((1, len(given)))
    if operation in ("Mul", "Div"):
        return grown.mixed(wide * (given if operation == "Mul" else 1 / given), np.zeros(len(given)), operation)
    sign, shift = (-1.0 if operation == "Sub" and first else 1.0), (-given if operation == "Sub" and not first else given)
    return grown.mixed(sign * wide, shift, operation)


def _per_column(constant: Any, columns: int) -> Floats:
    """A constant as one number per column, or for one column as many as there are. Raises Untranslatable."""
    found = np.asarray(constant, dtype=np.float64)
    flat = found.reshape(-1)
    if found.ndim > 2 or (found.ndim == 2 and found.shape[0] != 1) or not (len(flat) in (1, columns) or columns == 1):
        raise Untranslatable("behind the trees stands a constant that is not one per column")
    return np.repeat(flat, columns) if len(flat) == 1 else flat


def _summed(tail: Tail, node: Any) -> Grown:
    """Sums of trees added up, or one taken from the other."""
    parts = [tail.grown(name) for name in node.input]
    columns = len(parts[0].columns)
    if any(len(part.columns) != columns or part.link is not None for part in parts):
        raise Untranslatable(f"{node.op_type} behind the trees joins what is no sum of trees of as many columns")
    signs = [1.0, *(-1.0 if node.op_type == "Sub" else 1.0 for _ in parts[1:])]
    matrix = np.concatenate([sign * np.eye(columns) for sign in signs])
    return beside(parts).mixed(matrix, np.zeros(columns), node.op_type)


def _negated(tail: Tail, node: Any) -> Grown:
    grown = tail.grown(node.input[0])
    return grown.mixed(-np.eye(len(grown.columns)), np.zeros(len(grown.columns)), "Neg")


def _joined(tail: Tail, node: Any) -> Grown:
    if _attribute(node, "axis", None) not in (1, -1):
        raise Untranslatable("Concat behind the trees joins rows")
    return beside([tail.grown(name) for name in node.input])


def _linked(tail: Tail, node: Any) -> Grown:
    """A function of the sums: its name is kept."""
    grown = tail.grown(node.input[0])
    link: Link = "logistic" if node.op_type == "Sigmoid" else "softmax"
    if link == "softmax" and _attribute(node, "axis", -1) not in (1, -1):
        raise Untranslatable("Softmax behind the trees goes over rows")
    plain = grown.mixed(np.eye(len(grown.columns)), np.zeros(len(grown.columns)), node.op_type)
    return Grown(plain.forest, link)


def _picked(tail: Tail, node: Any) -> Grown:
    """Columns by their numbers."""
    numbers = tail.constant(node.input[1])
    if numbers is None or (node.op_type == "Gather" and _attribute(node, "axis", 0) not in (1, -1)):
        raise Untranslatable(f"{node.op_type} behind the trees does not take columns by constant numbers")
    return tail.grown(node.input[0]).chosen(np.asarray(numbers, dtype=np.int64).reshape(-1))


def _shaped(tail: Tail, node: Any) -> Grown:
    """A new shape with the same columns."""
    grown, shape = tail.grown(node.input[0]), tail.constant(node.input[1])
    columns = len(grown.columns)
    if shape is None or np.asarray(shape).tolist() not in (
        [-1, columns],
        [0, columns],
        [0, -1],
        *([[-1]] if columns == 1 else []),
    ):
        raise Untranslatable("Reshape behind the trees changes which columns there are")
    return grown


def _mixed(tail: Tail, node: Any) -> Grown:
    """Sums weighted by a constant matrix."""
    matrix, grown = tail.constant(node.input[1]), tail.grown(node.input[0])
    if matrix is None or np.ndim(matrix) != 2 or len(matrix) != len(grown.columns):
        raise Untranslatable("MatMul behind the trees is no product with a constant matrix")
    return grown.mixed(np.asarray(matrix, dtype=np.float64), np.zeros(matrix.shape[1]), "MatMul")


def _attribute(node: Any, name: str, default: Any) -> Any:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), default)


_STEPS: dict[str, Callable[[Tail, Any], Grown]] = {
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), _arithmetic),
    **dict.fromkeys(("Sigmoid", "Softmax"), _linked),
    **dict.fromkeys(("ArrayFeatureExtractor", "Gather"), _picked),
    "Sum": _summed,
    "Neg": _negated,
    "Concat": _joined,
    "Reshape": _shaped,
    "MatMul": _mixed,
}
