"""Trees read from files: every operator and whatever may follow it, against ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from by_hand import solve
from onnx import TensorProto, helper
from onnx.numpy_helper import from_array

from workers.methods import exact_shapley
from workers.runtimes.onnx.refusal import Untranslatable
from workers.runtimes.onnx.wood.tail import Tail

TYPES = {np.float32: TensorProto.FLOAT, np.float64: TensorProto.DOUBLE}
GRID = np.array([[a, b] for a in (0, 1, 1.5, 2, 3, np.nan) for b in (0, 2, 3, 5, np.nan)])


def plain(dtype: type = np.float32, **more: Any) -> Any:
    """Two trees: one branches at 1, then asks whether feature 1 is one of {2, 3}; one is a single leaf."""
    given = {
        "nodes_splits": from_array(np.array([1.0, 0, 0], dtype)),
        "nodes_featureids": [0, 1, 0],
        "nodes_modes": from_array(np.array([0, 6, 0], np.uint8)),
        "nodes_truenodeids": [0, 1, 3],
        "nodes_trueleafs": [1, 1, 1],
        "nodes_falsenodeids": [1, 2, 3],
        "nodes_falseleafs": [0, 1, 1],
        "leaf_targetids": [0, 1, 0, 1],
        "leaf_weights": from_array(np.array([1.0, 0.5, -2.0, 0.25], dtype)),
        "membership_values": from_array(np.array([2, 3, np.nan], dtype)),
        "n_targets": 2,
        "tree_roots": [0, 2],
    }
    return helper.make_node("TreeEnsemble", ["input"], ["sum"], domain="ai.onnx.ml", **(given | more))


def graph(
    nodes: Sequence[Any], constants: dict[str, np.ndarray] | None = None, columns: int | None = 2, dtype: type = np.float32
):
    """A file that reads `input` and puts out `score`."""
    return helper.make_model(
        helper.make_graph(
            list(nodes),
            "wood",
            [helper.make_tensor_value_info("input", TYPES[dtype], ["n", 2])],
            [helper.make_tensor_value_info("score", TYPES[dtype], ["n", columns])],
            [from_array(np.asarray(array), name) for name, array in (constants or {}).items()],
        ),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 5)],
        ir_version=10,
    )


def node(operator: str, *inputs: str, to: str = "score", **more: Any) -> Any:
    return helper.make_node(operator, list(inputs), [to], **more)


def by_onnx_runtime(model: Any, points: np.ndarray) -> np.ndarray:
    return np.asarray(ort.InferenceSession(model.SerializeToString()).run(["score"], {"input": points})[0], np.float64)


@pytest.mark.parametrize("mode", range(7))
@pytest.mark.parametrize(
    "more", [{}, {"aggregate_function": 0}, {"nodes_missing_value_tracks_true": [1, 1, 0]}, {"dtype": np.float64}], ids=str
)
def test_the_operator_of_opset_5(mode: int, more: dict[str, Any]) -> None:
    dtype = more.get("dtype", np.float32)
    asked = {"membership_values": from_array(np.array([1, 1.5, np.nan, 2, 3, np.nan], dtype))} if mode == 6 else {}
    model = graph(
        [plain(nodes_modes=from_array(np.array([mode, 6, 0], np.uint8)), **asked, **more), node("Identity", "sum")], dtype=dtype
    )
    points = GRID.astype(dtype)
    np.testing.assert_allclose(Tail(model).grown("score").predict(points), by_onnx_runtime(model, points), atol=1e-6)


def test_sets_of_members_have_the_values_of_the_definition() -> None:
    forest = Tail(graph([plain(), node("Identity", "sum")])).grown("score").forest
    points = GRID[~np.isnan(GRID).any(axis=1)]
    for x in points[::3]:
        for b in points[::4]:
            for column in range(2):
                found = forest.shapley(x[None], b[None], np.array([column]), np.arange(2))[0]
                want = solve(exact_shapley, lambda rows, c=column: forest.predict(rows)[:, c], x, b).phi
                np.testing.assert_allclose(found, want, atol=1e-12)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"post_transform": 2}, "TreeEnsemble has a post_transform, which ONNX and ONNX Runtime number differently"),
        ({"aggregate_function": 3}, "the trees are not added: their MAX is taken"),
        ({"nodes_falsenodeids": [0, 2, 3]}, "the trees have nodes that two ways lead to"),
        ({"nodes_falsenodeids": [9, 2, 3]}, "the trees lead to nodes that are not in the file"),
        ({"nodes_modes": from_array(np.array([0, 7, 0], np.uint8))}, "branch in a way that ai.onnx.ml 5 does not know"),
        ({"membership_values": from_array(np.array([2, np.nan, 3, np.nan], np.float32))}, "another number of sets of members"),
    ],
)
def test_what_is_no_sum_of_trees_is_refused_by_name(attributes: dict[str, Any], reason: str) -> None:
    with pytest.raises(Untranslatable, match=reason):
        Tail(graph([plain(**attributes), node("Identity", "sum")])).grown("score")


CONSTANTS = {
    "two": np.float32([2.0]), "each": np.float32([[3.0, -1.0]]), "one": np.float32(1.0), "last": np.int64([1]),
    "turned": np.int64([1, 0]), "shape": np.int64([-1, 2]), "matrix": np.float32([[1, 2, 3], [0, -1, 1]]),
}  # fmt: skip
TAILS: dict[str, tuple[list[Any], int, str | None]] = {
    "scaled": ([node("Mul", "sum", "two", to="a"), node("Add", "each", "a", to="b"), node("Div", "b", "two")], 2, None),
    "taken from": ([node("Sub", "each", "sum", to="a"), node("Sub", "a", "two")], 2, None),
    "negated and cast": ([node("Neg", "sum", to="a"), node("Cast", "a", to="b"), node("Identity", "b")], 2, None),
    "widened": ([node("Gather", "sum", "last", to="a", axis=1), node("Mul", "a", "each")], 2, None),
    "two ensembles": ([node("Neg", "sum", to="a"), node("Mul", "a", "two", to="b"), node("Sum", "sum", "b")], 2, None),
    "one from the other": ([node("Mul", "sum", "each", to="a"), node("Sub", "a", "sum")], 2, None),
    "a product": ([node("MatMul", "sum", "matrix")], 3, None),
    "shaped": ([node("Reshape", "sum", "shape", to="a"), node("Flatten", "a")], 2, None),
    "logistic": ([node("Sigmoid", "sum")], 2, "logistic"),
    "softmax": ([node("Softmax", "sum", axis=1, to="a"), node("Gather", "a", "turned", axis=1)], 2, "softmax"),
    "both classes": (
        [
            node("ArrayFeatureExtractor", "sum", "last", to="m", domain="ai.onnx.ml"),
            node("Sigmoid", "m", to="p"),
            node("Sub", "one", "p", to="q"),
            node("Concat", "q", "p", axis=1),
        ],
        2,
        "logistic",
    ),
}
TAILS["negated and cast"][0][1].attribute.extend([helper.make_attribute("to", TensorProto.FLOAT)])


@pytest.mark.parametrize("name", TAILS)
def test_what_may_follow_the_trees(name: str) -> None:
    nodes, columns, link = TAILS[name]
    model = graph([plain(), *nodes], CONSTANTS, columns)
    onnx.checker.check_model(model)
    points = GRID.astype(np.float32)
    grown, expected = Tail(model).grown("score"), by_onnx_runtime(model, points)
    assert grown.link == link
    np.testing.assert_allclose(grown.predict(points), expected, atol=1e-5)
    if link == "logistic":
        for column in range(columns):
            sums = grown.margins(points, np.full(len(points), column))
            np.testing.assert_allclose(1 / (1 + np.exp(-sums)), expected[:, column], atol=1e-6)


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ([node("Sigmoid", "sum", to="a"), node("Mul", "a", "two")], "Mul follows the logistic function"),
        ([node("Sigmoid", "sum", to="a"), node("Sigmoid", "a")], "Sigmoid follows the logistic function"),
        ([node("Softmax", "sum", axis=0)], "Softmax behind the trees goes over rows"),
        ([node("Mul", "sum", "sum")], "Mul behind the trees is no scaling by a constant"),
        ([node("Div", "two", "sum")], "Div behind the trees is no scaling by a constant"),
        (
            [node("Sigmoid", "sum", to="a"), node("Concat", "a", "sum", axis=1)],
            "what functions make of them are put side by side",
        ),
        ([node("Sigmoid", "sum", to="a"), node("Add", "a", "sum")], "joins what is no sum of trees of as many columns"),
        ([node("Tanh", "sum")], "it is made by Tanh"),
        ([node("Identity", "input")], "it is made of the input itself"),
    ],
)
def test_what_may_not_follow_is_named(nodes: list[Any], reason: str) -> None:
    with pytest.raises(Untranslatable, match=reason):
        Tail(graph([plain(), *nodes], CONSTANTS)).grown("score")


def test_a_sum_that_doubles_again_and_again_is_given_up() -> None:
    names = ["sum", *(f"s{number}" for number in range(40)), "score"]
    nodes = [node("Add", name, name, to=after) for name, after in pairwise(names)]
    with pytest.raises(Untranslatable, match="too much lies between the trees and the explained output"):
        Tail(graph([plain(), *nodes])).grown("score")
