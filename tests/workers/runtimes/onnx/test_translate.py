"""Translation as a whole: pruning, refusals by name, bounds on hostile files, control flow, captured and overridden tensors."""

from __future__ import annotations

import contextlib
import itertools
import resource
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import by_translation, check, model_of, node, rows
from torch import nn

from workers.runtimes.onnx.limits import TooLarge
from workers.runtimes.onnx.refusal import Untranslatable
from workers.runtimes.onnx.translate import translate

X = {"x": rows(2, 4)}


def refused(model: Any, outputs: tuple[str, ...] = ("y",)) -> str:
    with pytest.raises(Untranslatable) as error:
        translate(model, outputs)
    return str(error.value)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (node("NotAnOperator", ["x"]), "NotAnOperator is not translated"),
        (node("Relu", ["x"], alpha=1.0), "Relu has the attribute alpha, which is not translated"),
        (node("Relu", ["x", "x"]), "Relu has 2 inputs"),
        (node("Relu", ["x"], ["y", "z"]), "Relu has 2 outputs"),
        (node("Add", ["x", "x"], axis=1), "Add has the attribute axis"),
        (node("LeakyRelu", ["x"], alpha=1), "LeakyRelu has the attribute alpha of a wrong type"),
        (node("Concat", ["x"]), "Concat lacks its attribute axis"),
        (node("Gelu", ["x"], approximate="other"), "Gelu has an approximation"),
        (node("Cast", ["x"], to=TensorProto.STRING), "Cast makes or takes STRING"),
        (node("Pad", ["x"], mode="other"), "Pad has a mode"),
        (node("NonMaxSuppression", ["x", "x"]), "NonMaxSuppression has no gradient"),
        (node("RandomNormalLike", ["x"]), "RandomNormalLike is not translated"),
        (node("Dropout", ["x", "", "t"]), "Dropout in training mode"),
        (node("TreeEnsembleClassifier", ["x"], domain="ai.onnx.ml"), "ai.onnx.ml.TreeEnsembleClassifier has no gradient"),
        (node("SVMClassifier", ["x"], domain="ai.onnx.ml"), "ai.onnx.ml.SVMClassifier is not translated"),
        (
            node("FusedConv", ["x"], domain="com.microsoft"),
            "com.microsoft.FusedConv was made by an optimiser; upload the model",
        ),
        (node("Thing", ["x"], domain="my.own"), "my.own.Thing is not translated"),
        (node("Thing", ["x"], domain="not.imported"), "not.imported.Thing is of a domain that the model does not import"),
        (node("Relu", ["nowhere"]), "nothing makes the tensor nowhere"),
    ],
)
def test_what_is_not_known_is_refused_by_name(made: Any, reason: str) -> None:
    domains = {"ai.onnx.ml": 3, "com.microsoft": 1, "my.own": 1}
    assert reason in refused(model_of([made], X, {"t": np.array(True)}, opset=20, domains=domains))


@pytest.mark.parametrize("opset", [6, 29])
def test_opsets_that_are_not_known_are_refused(opset: int) -> None:
    assert f"opset {opset} is not translated" in refused(model_of([node("Relu", ["x"])], X, opset=opset))


def test_what_the_wanted_output_does_not_need_is_not_translated() -> None:
    nodes = [node("Relu", ["x"]), node("Unknown", ["x"], ["label"])]
    assert len(translate(model_of(nodes, X, outputs=("y", "label")), ["y"]).graph.steps) == 1


def test_modules_are_those_that_rules_match_on() -> None:
    nodes = [
        node("Conv", ["x", "w", "b"], ["a"]), node("BatchNormalization", ["a", "b", "b", "b", "b"], ["n"]),
        node("Relu", ["n"], ["r"]), node("MaxPool", ["r"], ["m"], kernel_shape=[2, 2]),
        node("GlobalAveragePool", ["m"], ["g"]), node("Flatten", ["g"], ["f"]), node("Gemm", ["f", "v", "b"], ["l"]),
        node("Softmax", ["l"]),
    ]  # fmt: skip
    inputs, weights = {"x": rows(1, 3, 8, 8)}, {"w": rows(4, 3, 3, 3), "b": np.abs(rows(4)), "v": rows(4, 4)}
    kinds = (nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.Module, nn.Linear, nn.Softmax)
    translation = check(model_of(nodes, inputs, weights), inputs, tolerance=1e-4)
    assert all(isinstance(module, kind) for module, kind in zip(translation.graph.nodes, kinds, strict=True))
    assert not any(parameter.requires_grad for parameter in translation.graph.parameters())


def test_weights_that_are_transposed_cast_or_dequantised_are_still_layers() -> None:
    nodes = [
        node("DequantizeLinear", ["w", "s"], ["f"]), node("Transpose", ["f"], ["t"], perm=[1, 0]), node("MatMul", ["x", "t"]),
    ]  # fmt: skip
    weights = {"w": np.arange(-6, 6, dtype=np.int8).reshape(3, 4), "s": np.array(0.1, dtype=np.float32)}
    translation = check(model_of(nodes, X, weights), X)
    assert [type(module) for module in translation.graph.nodes] == [nn.Linear]


def test_operators_without_a_builder_are_written_out_as_their_bodies() -> None:
    x = {"x": rows(1, 2, 6, 6)}
    made = node("CenterCropPad", ["x", "s"], axes=[2, 3])
    check(model_of([made], x, {"s": np.array([4, 8])}, opset=18), x)


def test_functions_of_the_model_are_expanded() -> None:
    function = helper.make_function(
        "my", "Twice", ["a"], ["b"], [node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    model = model_of([node("Twice", ["x"], domain="my")], X, domains={"my": 1})
    model.functions.append(function)
    check(model, X)


# --- inner tensors


def test_inner_tensors_are_captured_and_overridden() -> None:
    model = model_of([node("Exp", ["x"], ["h"]), node("Mul", ["h", "h"])], X)
    translation = translate(model, ["y"])
    found = translation.graph.run({"x": torch.from_numpy(X["x"])}, ("y", "h"))
    torch.testing.assert_close(found["h"], torch.from_numpy(np.exp(X["x"])))
    torch.testing.assert_close(found["y"], found["h"] ** 2)
    leaf = torch.full((2, 4), 3.0, requires_grad=True)
    from_there = translation.graph.run({}, ("y",), {"h": leaf})["y"]
    from_there.sum().backward()
    assert leaf.grad is not None
    torch.testing.assert_close(leaf.grad, torch.full((2, 4), 6.0))
    assert [step.label for step in translation.graph.plan(("y",), frozenset({"h"})).steps] == ["Mul"]
    with pytest.raises(KeyError):
        translation.graph.run({"x": torch.zeros(1)}, ("unknown",))


def test_whole_numbers_differentiate_at_their_embedding() -> None:
    nodes = [node("Gather", ["table", "x"], ["e"]), node("ReduceSum", ["e", "axis"], ["s"]), node("Tanh", ["s"])]
    inputs = {"x": np.array([[0, 2], [1, 1]])}
    translation = check(model_of(nodes, inputs, {"table": rows(3, 4), "axis": np.array([1])}), inputs, gradient=False)
    (embedded,) = by_translation(translation, inputs, ("e",))
    leaf = embedded.clone().requires_grad_()
    answer = translation.graph.run({}, ("y",), {"e": leaf})["y"]
    answer.sum().backward()
    assert leaf.grad is not None
    torch.testing.assert_close(leaf.grad, (1 - answer.detach() ** 2).expand(2, 2, 4))


# --- graphs within graphs


def subgraph(nodes: Any, inputs: Any, outputs: Any, weights: Any = None) -> Any:
    return helper.make_graph(
        nodes, "inner", [helper.make_empty_tensor_value_info(name) for name in inputs],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )  # fmt: skip


def test_if_reads_the_graph_around_it() -> None:
    one = subgraph([node("Mul", ["x", "w"], ["a"])], [], ["a"])
    two = subgraph([node("Sub", ["z", "x"], ["b"])], [], ["b"])
    nodes = [node("Neg", ["x"], ["z"]), node("If", ["c"], then_branch=one, else_branch=two)]
    for condition in (True, False):
        inputs = {**X, "c": np.array(condition)}
        check(model_of(nodes, inputs, {"w": rows(4)}), inputs)


def loop_model(count: Any) -> Any:
    nodes = [node("Mul", ["s", "x"], ["t"]), node("Sin", ["t"], ["o"]), node("Identity", ["c"], ["d"])]
    body = subgraph(nodes, [], ["d", "t", "o"])
    for name, kind, shape in (("i", TensorProto.INT64, []), ("c", TensorProto.BOOL, []), ("s", TensorProto.FLOAT, [2, 4])):
        body.input.append(helper.make_tensor_value_info(name, kind, shape))
    return model_of([node("Loop", ["n", "", "x"], ["y", "z"], body=body)], X, {"n": np.array(count)}, outputs=("y", "z"))


def test_loops() -> None:
    check(loop_model(3), X, ("y", "z"))


def test_scan() -> None:
    body = subgraph([node("Add", ["s", "e"], ["t"]), node("Tanh", ["t"], ["o"])], ["s", "e"], ["t", "o"])
    inputs = {"s0": rows(4), "x": rows(3, 4)}
    made = node("Scan", ["s0", "x"], ["y", "z"], body=body, num_scan_inputs=1)
    check(model_of([made], inputs, outputs=("y", "z")), inputs, ("y", "z"))
    made = node(
        "Scan", ["s0", "x"], ["y", "z"], body=body, num_scan_inputs=1, scan_input_axes=[1], scan_input_directions=[1],
        scan_output_directions=[1], scan_output_axes=[1],
    )  # fmt: skip
    inputs["x"] = rows(4, 3)
    check(model_of([made], inputs, outputs=("y", "z")), inputs, ("y", "z"))


# --- hostile files


def test_endless_loops_are_stopped() -> None:
    translation = translate(loop_model(2**62), ("y", "z"))
    with pytest.raises(TooLarge):
        by_translation(translation, X, ("y", "z"))


@pytest.mark.parametrize(
    "nodes",
    [
        [node("ConstantOfShape", ["s"])], [node("Expand", ["x1", "s"])], [node("Tile", ["x2", "s"])],
        [node("Range", ["a", "b", "c"])], [node("Pad", ["x2", "p"])], [node("Resize", ["x2", "", "", "s"])],
    ],
)  # fmt: skip
def test_memory_bombs_are_refused_when_run_and_never_folded(nodes: Any) -> None:
    big = {"s": np.array([10**5, 10**5]), "p": np.array([0, 0, 10**5, 10**6]), "x1": rows(1, 1), "x2": rows(1, 1)}
    scalars = {"a": np.array(0), "b": np.array(10**10), "c": np.array(1)}
    translation = translate(model_of(nodes, X, {**big, **scalars}), ["y"])
    with pytest.raises(TooLarge):
        by_translation(translation, X)


@pytest.mark.parametrize(
    ("made", "weights"),
    [
        (node("DequantizeLinear", ["a", "b"]), {"a": np.zeros((10**5, 1), np.int8), "b": np.ones((1, 10**5), np.float32)}),
        (node("DequantizeLinear", ["a", "b"]), {"a": np.zeros((10**5, 1), np.int8), "b": np.ones(10**5, np.float32)}),
        (
            node("DequantizeLinear", ["a", "b"], block_size=2**40, axis=0),
            {"a": np.zeros((10, 1), np.int8), "b": np.ones((1, 1), np.float32)},
        ),
        (node("LSTM", ["x3", "W", "R"], hidden_size=10**6), {"W": rows(1, 4, 4), "R": np.zeros((1, 4, 10**6), np.float32)}),
        (node("Add", ["a", "b"]), {"a": rows(3000, 1), "b": rows(1, 1000)}),
    ],
)
def test_nothing_large_is_made_while_translating(made: Any, weights: Any) -> None:
    """Shapes of a few bytes whose product is large: refused, or left to be made when the graph runs."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with contextlib.suppress(Untranslatable):
        translate(model_of([made], {"x3": rows(2, 1, 4)}, weights, opset=21), ["y"])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes


def test_functions_that_multiply_are_refused_before_they_are_expanded() -> None:
    """Each calls the one below ten times: 10^12 nodes of a file of a few kilobytes."""
    model = model_of([node("F12", ["x"], domain="my")], X, domains={"my": 1})
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("my", 1)]
    for level in range(13):
        names = ["a", *(f"t{i}" for i in range(9)), "b"]
        inner = {"domain": "my"} if level else {}
        op = f"F{level - 1}" if level else "Neg"
        nodes = [node(op, [one], [other], **inner) for one, other in itertools.pairwise(names)]
        model.functions.append(helper.make_function("my", f"F{level}", ["a"], ["b"], nodes, imports))
    assert "more than" in refused(model)


def test_functions_that_call_themselves_are_refused() -> None:
    model = model_of([node("F", ["x"], domain="my")], X, domains={"my": 1})
    inner = [node("F", ["a"], ["b"], domain="my")]
    model.functions.append(helper.make_function("my", "F", ["a"], ["b"], inner, [helper.make_opsetid("my", 1)]))
    assert "call themselves" in refused(model)


def test_deep_nesting_is_refused() -> None:
    inner = subgraph([node("Neg", ["x"], ["a"])], [], ["a"])
    for _ in range(12):
        inner = subgraph([node("If", ["c"], ["a"], then_branch=inner, else_branch=inner)], [], ["a"])
    made = node("If", ["c"], then_branch=inner, else_branch=inner)
    assert "nested more than" in refused(model_of([made], {**X, "c": np.array(True)}))


def test_external_data_is_refused() -> None:
    model = model_of([node("MatMul", ["x", "w"])], X, {"w": rows(4, 2)})
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    assert "another file" in refused(model)


def test_texts_of_the_file_are_shortened() -> None:
    reason = refused(model_of([node("Evil\n<b>" + "x" * 500, ["x"])], X))
    assert len(reason) < 120
    assert "\n" not in reason
    assert "<" not in reason
