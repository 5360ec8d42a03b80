"""Every family of builders against ONNX Runtime (outputs) and central differences (gradients), in each form it has had."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from onnx_graphs import check, model_of, node, rows

X = {"x": rows(2, 3, 4)}
PICTURE = {"x": rows(2, 3, 7, 6)}
POSITIVE = {"x": np.abs(rows(2, 3, 4)) + 0.5}
INSIDE = {"x": np.tanh(rows(2, 3, 4)) * 0.8}


def ints(*values: int) -> Any:
    return np.array(values, dtype=np.int64)


def floats(*values: float) -> Any:
    return np.array(values, dtype=np.float32)


def run(nodes: Any, inputs: Any = X, weights: Any = None, opset: int = 17, outputs: Any = ("y",), **more: Any) -> Any:
    domains = more.pop("domains", None)
    nodes = nodes if isinstance(nodes, list) else [nodes]
    return check(model_of(nodes, inputs, weights, outputs, opset, domains), inputs, outputs, **more)


@pytest.mark.parametrize(
    "op",
    ["Abs", "Atan", "Asinh", "Ceil", "Cos", "Erf", "Exp", "Floor", "Identity", "Neg", "Round", "Sign", "Sin", "Sinh", "Tan"],
)
def test_functions_of_one_number(op: str) -> None:
    run(node(op, ["x"]))


@pytest.mark.parametrize("op", ["Log", "Sqrt", "Reciprocal"])
def test_functions_of_positive_numbers(op: str) -> None:
    run(node(op, ["x"]), POSITIVE)


@pytest.mark.parametrize("op", ["Acos", "Asin", "Atanh"])
def test_functions_within_one(op: str) -> None:
    run(node(op, ["x"]), INSIDE)


def test_acosh() -> None:
    run(node("Acosh", ["x"]), {"x": POSITIVE["x"] + 1})


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
def test_two_tensors_are_broadcast(op: str) -> None:
    run(node(op, ["x", "b"]), {**X, "b": POSITIVE["x"][:1, :, :1].copy()})


@pytest.mark.parametrize("op", ["Max", "Min", "Sum", "Mean"])
def test_many_tensors(op: str) -> None:
    run(node(op, ["x", "b", "c"]), {**X, "b": rows(3, 4, seed=1), "c": rows(4, seed=2)})
    run(node(op, ["x"]))


@pytest.mark.parametrize(("a", "b"), [(7, 2), (-7, 2), (7, -2), (-7, -2)])
def test_whole_numbers_are_divided_towards_zero(a: int, b: int) -> None:
    run(node("Div", ["x", "b"]), {"x": ints(a), "b": ints(b)}, gradient=False)
    run(node("Mod", ["x", "b"]), {"x": ints(a), "b": ints(b)}, gradient=False)


def test_mod_of_floats_and_pow() -> None:
    run(node("Mod", ["x", "b"], fmod=1), {"x": floats(5.3, -5.3), "b": floats(2.1, 2.1)}, gradient=False)
    run(node("Pow", ["x", "e"]), POSITIVE, {"e": np.array(2.5, dtype=np.float32)})
    run(node("Pow", ["x", "e"]), {**POSITIVE, "e": rows(3, 4)})


@pytest.mark.parametrize("bounds", [["lo", "hi"], ["lo"], ["", "hi"], ["zero", "six"]])
def test_clip(bounds: list[str]) -> None:
    numbers = {"lo": -0.5, "hi": 0.25, "zero": 0.0, "six": 6.0}
    weights = {name: np.array(numbers[name], dtype=np.float32) for name in bounds if name}
    run(node("Clip", ["x", *bounds]), X, weights)
    run(node("Clip", ["x", *bounds]), {**X, **weights}, gradient=False)


def test_clip_by_attributes() -> None:
    run(node("Clip", ["x"], min=-0.5, max=0.5), opset=9)


@pytest.mark.parametrize("op", ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"])
def test_comparisons_choose(op: str) -> None:
    nodes = [node(op, ["x", "b"], ["c"]), node("Where", ["c", "x", "b"])]
    run(nodes, {**X, "b": rows(3, 4, seed=1)})


def test_logic() -> None:
    a, b = np.array([True, True, False, False]), np.array([True, False, True, False])
    for op in ("And", "Or", "Xor"):
        run(node(op, ["a", "b"]), {"a": a, "b": b}, gradient=False)
    run(node("Not", ["a"]), {"a": a}, gradient=False)
    odd = {"x": np.array([np.nan, np.inf, -np.inf, 1.0], dtype=np.float32)}
    run(node("IsNaN", ["x"]), odd, gradient=False)
    run(node("IsInf", ["x"], detect_negative=0), odd, gradient=False)


@pytest.mark.parametrize(
    "op", ["Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "HardSwish", "Elu", "Selu", "Celu", "LeakyRelu"]
)
def test_activations(op: str) -> None:
    run(node(op, ["x"]))


@pytest.mark.parametrize(
    ("op", "attributes", "opset"),
    [
        ("Elu", {"alpha": 0.5}, 17), ("Selu", {"alpha": 2.0, "gamma": 1.5}, 17), ("Celu", {"alpha": 2.0}, 17),
        ("LeakyRelu", {"alpha": 0.3}, 17), ("ThresholdedRelu", {"alpha": 0.4}, 17), ("HardSigmoid", {"alpha": 0.3}, 17),
        ("Shrink", {"bias": 0.1, "lambd": 0.3}, 17), ("Mish", {}, 18), ("Gelu", {}, 20), ("Gelu", {"approximate": "tanh"}, 20),
        ("Softmax", {"axis": 1}, 17), ("Softmax", {}, 17), ("LogSoftmax", {"axis": 0}, 13), ("Softmax", {"axis": 1}, 11),
        ("Softmax", {"axis": 2}, 9), ("LogSoftmax", {}, 11), ("Hardmax", {"axis": 1}, 13), ("Hardmax", {"axis": 1}, 11),
    ],
)  # fmt: skip
def test_activations_with_attributes(op: str, attributes: Any, opset: int) -> None:
    run(node(op, ["x"], **attributes), opset=opset)


@pytest.mark.parametrize("slope", [(1,), (3, 1), (4,), (3, 4)])
def test_prelu(slope: tuple[int, ...]) -> None:
    weights = {"s": np.abs(rows(*slope))}
    run(node("PRelu", ["x", "s"]), X, weights)
    run(node("PRelu", ["x", "s"]), {**X, **weights})


REDUCTIONS = ["Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSum", "LogSumExp"]


@pytest.mark.parametrize("op", REDUCTIONS)
@pytest.mark.parametrize("opset", [11, 13, 18])
def test_reductions(op: str, opset: int) -> None:
    since = 13 if op == "Sum" else 18
    for axes, keep in (([1], 1), ([0, -1], 0), (None, 1)):
        given = {"axes": axes} if axes and opset < since else {}
        weights = {"a": ints(*axes)} if axes and opset >= since else {}
        run(node(f"Reduce{op}", ["x", *weights], keepdims=keep, **given), POSITIVE, weights, opset)


def test_reduction_over_axes_that_come_in() -> None:
    run(node("ReduceMean", ["x", "a"]), {**X, "a": ints(1)}, opset=18)
    run(node("ReduceSum", ["x"], noop_with_empty_axes=1), opset=13)


@pytest.mark.parametrize("attributes", [{"axis": 1}, {"axis": -1, "keepdims": 0}, {"axis": 0, "select_last_index": 1}])
def test_places_of_extremes(attributes: Any) -> None:
    x = np.round(rows(3, 4, 5))
    run(node("ArgMax", ["x"], **attributes), {"x": x}, gradient=False)
    run(node("ArgMin", ["x"], **attributes), {"x": x}, gradient=False)


@pytest.mark.parametrize("attributes", [{}, {"exclusive": 1}, {"reverse": 1}, {"exclusive": 1, "reverse": 1}])
def test_cumulative_sum(attributes: Any) -> None:
    run(node("CumSum", ["x", "a"], **attributes), X, {"a": np.array(1, dtype=np.int64)})


def test_top_k_in_three_forms() -> None:
    two = {"k": ints(2)}
    run(node("TopK", ["x", "k"], ["y", "i"], axis=1, largest=0), X, two, outputs=("y", "i"))
    run(node("TopK", ["x", "k"], ["y", "i"]), X, two, opset=10, outputs=("y", "i"))
    run(node("TopK", ["x"], ["y", "i"], k=2), X, opset=9, outputs=("y", "i"))


@pytest.mark.parametrize("shape", [(6, 4), (0, -1), (2, 0, 2, -1)])
def test_reshape(shape: tuple[int, ...]) -> None:
    run(node("Reshape", ["x", "s"]), X, {"s": ints(*shape)})
    run(node("Reshape", ["x", "s"]), {**X, "s": ints(*shape)})


def test_shapes_are_computed() -> None:
    nodes = [
        node("Shape", ["x"], ["s"]), node("Gather", ["s", "zero"], ["n"]), node("Unsqueeze", ["n", "axis"], ["m"]),
        node("Concat", ["m", "rest"], ["t"], axis=0), node("Reshape", ["x", "t"]),
    ]  # fmt: skip
    run(nodes, X, {"zero": np.array(0, dtype=np.int64), "axis": ints(0), "rest": ints(-1)})


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1])
def test_flatten(axis: int) -> None:
    run(node("Flatten", ["x"], axis=axis))


def test_squeeze_and_unsqueeze_in_both_forms() -> None:
    thin = {"x": rows(2, 1, 3, 1)}
    run(node("Squeeze", ["x"], axes=[1]), thin, opset=11)
    run(node("Squeeze", ["x", "a"]), thin, {"a": ints(1, -1)})
    run(node("Squeeze", ["x"]), thin)
    run(node("Unsqueeze", ["x"], axes=[0, 2]), thin, opset=11)
    run(node("Unsqueeze", ["x", "a"]), thin, {"a": ints(-1, 0)})


def test_order_and_parts() -> None:
    run(node("Transpose", ["x"], perm=[2, 0, 1]))
    run(node("Transpose", ["x"]))
    run(node("Concat", ["x", "b"], axis=1), {**X, "b": rows(2, 1, 4)})
    run(node("Split", ["x"], ["y", "z"], axis=2), outputs=("y", "z"))
    run(node("Split", ["x", "s"], ["y", "z"], axis=1), X, {"s": ints(1, 2)}, outputs=("y", "z"))
    run(node("Split", ["x"], ["y", "z"], axis=1, split=[2, 1]), opset=11, outputs=("y", "z"))
    run(node("Split", ["x"], ["y", "z"], axis=1, num_outputs=2), opset=18, outputs=("y", "z"))


def test_repeated() -> None:
    run(node("Expand", ["x", "s"]), {"x": rows(3, 1)}, {"s": ints(2, 1, 4)})
    run(node("Tile", ["x", "s"]), X, {"s": ints(1, 2, 2)})


def test_pixels_and_channels() -> None:
    wide = {"x": rows(1, 8, 2, 3)}
    run(node("DepthToSpace", ["x"], blocksize=2, mode="DCR"), wide)
    run(node("DepthToSpace", ["x"], blocksize=2, mode="CRD"), wide)
    run(node("SpaceToDepth", ["x"], blocksize=2), {"x": rows(1, 2, 4, 6)})


@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps"),
    [
        ([1], [3], [2], [1]), ([-2], [10**9], [1], [1]), ([0, 1], [2, -1], [1, 2], [1, 2]), ([-1], [-(2**63)], [2], [-1]),
        ([3], [0], [2], [-2]), ([5], [9], [2], [1]),
    ],
)  # fmt: skip
def test_slices(starts: list[int], ends: list[int], axes: list[int], steps: list[int]) -> None:
    lists = {"s": ints(*starts), "e": ints(*ends), "a": ints(*axes), "t": ints(*steps)}
    run(node("Slice", ["x", "s", "e", "a", "t"]), X, lists)
    run(node("Slice", ["x", "s", "e", "a", "t"]), {**X, **lists})
    if steps == [1]:
        run(node("Slice", ["x"], starts=starts, ends=ends, axes=axes), opset=9)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
def test_pads(mode: str) -> None:
    run(node("Pad", ["x", "p"], mode=mode), X, {"p": ints(0, 1, 2, 0, 2, 1)})
    run(node("Pad", ["x"], mode=mode, pads=[0, 1, 2, 0, 2, 1]), opset=9)


def test_pads_with_a_value_axes_and_crops() -> None:
    value = np.array(1.5, dtype=np.float32)
    run(node("Pad", ["x", "p", "v"]), X, {"p": ints(0, -1, 2, 0, 2, -1), "v": value})
    run(node("Pad", ["x", "p", "v", "a"]), X, {"p": ints(1, 2), "v": value, "a": ints(-1)}, opset=18)
    run(node("Pad", ["x", "p"], mode="wrap"), X, {"p": ints(0, 1, 2, 0, 2, 1)}, opset=19)


@pytest.mark.parametrize("places", [np.array(1), np.array(-1), ints(0, 2, 2), ints(-1, 0), np.array([[0, 1], [2, 1]])])
def test_gather(places: Any) -> None:
    run(node("Gather", ["x", "i"], axis=1), X, {"i": places})
    run(node("Gather", ["x", "i"], axis=1), {**X, "i": places})


def test_elements_by_index() -> None:
    places = np.array([[[0, -1, 1, 2]]] * 2)
    run(node("GatherElements", ["x", "i"], axis=1), {**X, "i": places})
    run(node("GatherND", ["x", "i"]), {**X, "i": np.array([[0, 1], [1, -1]])})
    run(node("GatherND", ["x", "i"], batch_dims=1), {**X, "i": np.array([[[0], [2]], [[1], [1]]])})
    run(node("ScatterElements", ["x", "i", "u"], axis=1), {**X, "i": places, "u": rows(2, 1, 4, seed=3)})
    run(node("ScatterElements", ["x", "i", "u"], axis=1, reduction="add"), {**X, "i": places, "u": rows(2, 1, 4)}, opset=18)
    for reduction in ("none", "add", "mul", "max", "min"):
        more = {"i": np.array([[1], [0]]), "u": rows(2, 3, 4, seed=3)}
        run(node("ScatterND", ["x", "i", "u"], reduction=reduction), {**X, **more}, opset=18)


def test_indices_made() -> None:
    x = np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]], dtype=np.float32)
    run(node("NonZero", ["x"]), {"x": x}, gradient=False)
    run(node("Compress", ["x", "c"], axis=1), {"x": x, "c": np.array([True, False, True])})
    run(node("OneHot", ["i", "d", "v"]), {"i": ints(0, -1), "d": ints(3), "v": floats(0, 1)})
    run(node("Trilu", ["x"], upper=0))
    run(node("Trilu", ["x", "k"]), X, {"k": np.array(1)})
    run(node("EyeLike", ["x"], k=1), {"x": x}, gradient=False)
    run(node("ConstantOfShape", ["s"]), {"s": ints(2, 3)}, gradient=False)
    run(node("Range", ["a", "b", "c"]), {"a": np.array(1), "b": np.array(8), "c": np.array(3)}, gradient=False)
    lengths = {"l": ints(2, 1, 3)}
    run(node("ReverseSequence", ["x", "l"], batch_axis=1, time_axis=0), {"x": rows(3, 3, 2), **lengths})
    run(node("ReverseSequence", ["x", "l"], batch_axis=0, time_axis=1), {"x": rows(3, 4, 2), **lengths})


@pytest.mark.parametrize(
    "attributes",
    [
        {}, {"pads": [1, 1, 1, 1], "strides": [2, 1]}, {"pads": [0, 1, 2, 1]}, {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        {"auto_pad": "SAME_LOWER", "strides": [2, 2]}, {"auto_pad": "VALID", "dilations": [2, 2]}, {"group": 3},
    ],
)  # fmt: skip
def test_convolutions(attributes: Any) -> None:
    weights = {"w": rows(6, 3 // attributes.get("group", 1), 3, 2), "b": rows(6)}
    run(node("Conv", ["x", "w", "b"], **attributes), PICTURE, weights)
    run(node("Conv", ["x", "w"], kernel_shape=[3, 2], **attributes), {**PICTURE, "w": weights["w"]}, tolerance=1e-4)


@pytest.mark.parametrize(("shape", "kernel"), [((2, 3, 9), (3,)), ((1, 2, 4, 5, 4), (2, 2, 2))])
def test_convolutions_along_one_and_three_axes(shape: tuple[int, ...], kernel: tuple[int, ...]) -> None:
    run(node("Conv", ["x", "w"]), {"x": rows(*shape)}, {"w": rows(4, shape[1], *kernel)}, tolerance=1e-4)


@pytest.mark.parametrize(
    "attributes",
    [
        {}, {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}, {"pads": [0, 1, 1, 0]}, {"group": 3},
        {"strides": [2, 3], "output_shape": [16, 20]}, {"strides": [2, 2], "dilations": [2, 1]},
        {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
    ],
)  # fmt: skip
def test_transposed_convolutions(attributes: Any) -> None:
    run(
        node("ConvTranspose", ["x", "w", "b"], **attributes),
        PICTURE,
        {"w": rows(3, 2, 3, 3), "b": rows(2 * attributes.get("group", 1))},
        tolerance=1e-4,
    )


POOLS = [
    {"kernel_shape": [2, 2]}, {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1}, {"kernel_shape": [3, 3], "pads": [0, 0, 1, 2]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
]  # fmt: skip


@pytest.mark.parametrize("attributes", POOLS)
def test_pools(attributes: Any) -> None:
    run(node("MaxPool", ["x"], **attributes), PICTURE)
    run(node("AveragePool", ["x"], **attributes), PICTURE, opset=19)
    run(node("AveragePool", ["x"], count_include_pad=1, **attributes), PICTURE, opset=19)
    if "auto_pad" not in attributes:
        run(node("LpPool", ["x"], **attributes), PICTURE, opset=18)


def test_pools_with_places_dilations_and_over_everything() -> None:
    run(node("MaxPool", ["x"], ["y", "i"], kernel_shape=[2, 2], strides=[2, 2]), PICTURE, outputs=("y", "i"))
    run(node("MaxPool", ["x"], kernel_shape=[2, 2], dilations=[2, 2]), PICTURE)
    run(node("AveragePool", ["x"], kernel_shape=[2, 2], dilations=[2, 2]), PICTURE, opset=19)
    for op in ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"):
        run(node(op, ["x"]), PICTURE)
        run(node(op, ["x"]), X)


def test_batch_norm() -> None:
    parameters = {"s": rows(3), "b": rows(3, seed=1), "m": rows(3, seed=2), "v": np.abs(rows(3)) + 0.5}
    for opset in (9, 14, 15):
        run(node("BatchNormalization", ["x", "s", "b", "m", "v"], epsilon=1e-3), PICTURE, parameters, opset)
    run(node("BatchNormalization", ["x", "s", "b", "m", "v"]), {"x": rows(5, 3)}, parameters)
    run(node("BatchNormalization", ["x", "s", "b", "m", "v"]), {**PICTURE, **parameters}, gradient=False)


def test_other_normalisations() -> None:
    three = {"s": rows(3), "b": rows(3, seed=1)}
    run(node("InstanceNormalization", ["x", "s", "b"]), PICTURE, three)
    run(node("InstanceNormalization", ["x", "s", "b"]), {**PICTURE, **three})
    run(node("InstanceNormalization", ["x", "s", "b"]), X, three)
    run(node("LRN", ["x"], size=3), PICTURE)
    run(node("LpNormalization", ["x"], axis=1, p=1))
    run(node("LpNormalization", ["x"]))
    run(node("MeanVarianceNormalization", ["x"]), PICTURE)


def test_layer_norm() -> None:
    four = {"s": rows(4), "b": rows(4, seed=1)}
    run(node("LayerNormalization", ["x", "s", "b"]), X, four)
    run(node("LayerNormalization", ["x", "s"]), X, {"s": four["s"]})
    run(node("LayerNormalization", ["x", "s", "b"], axis=1), X, {"s": rows(3, 4), "b": rows(3, 4)})
    run(node("LayerNormalization", ["x", "s", "b"], ["y", "m", "d"]), X, four, outputs=("y", "m", "d"))
    run(node("GroupNormalization", ["x", "s", "b"], num_groups=2), {"x": rows(2, 4, 3)}, four, opset=21)


@pytest.mark.parametrize(
    ("a", "b"), [((4,), (4, 5)), ((3, 4), (4,)), ((2, 3, 4), (4, 5)), ((2, 3, 4), (2, 4, 2)), ((3, 4), (2, 4, 2))]
)
def test_products(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    run(node("MatMul", ["x", "w"]), {"x": rows(*a)}, {"w": rows(*b, seed=1)})
    run(node("MatMul", ["x", "w"]), {"x": rows(*a), "w": rows(*b, seed=1)})


@pytest.mark.parametrize(
    "attributes", [{}, {"transB": 1}, {"transA": 1, "transB": 1, "alpha": 0.5, "beta": 2.0}, {"alpha": 0.5}]
)
@pytest.mark.parametrize("bias", [(5,), (1, 5), (1,), (3, 1), None])
def test_gemm(attributes: Any, bias: tuple[int, ...] | None) -> None:
    x = rows(4, 3) if attributes.get("transA") else rows(3, 4)
    weights = {"w": rows(5, 4) if attributes.get("transB") else rows(4, 5)} | ({"c": rows(*bias)} if bias else {})
    run(node("Gemm", ["x", *weights], **attributes), {"x": x}, weights)
    run(node("Gemm", ["x", *weights], **attributes), {"x": x, **weights})


def test_einsum_and_det() -> None:
    run(node("Einsum", ["x", "w"], equation="bij, jk -> bik"), X, {"w": rows(4, 2)})
    run(node("Det", ["x"]), {"x": rows(2, 3, 3)})


GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("form", ["plain", "biased", "states", "lengths", "clip", "computed"])
def test_recurrent(op: str, direction: str, form: str) -> None:
    count, gates = (2 if direction == "bidirectional" else 1), GATES[op]
    weights = {"W": rows(count, gates * 5, 4), "R": rows(count, gates * 5, 5, seed=1), "B": rows(count, gates * 10, seed=2)}
    inputs = {"x": rows(6, 3, 4)}
    names = ["x", "W", "R"] if form == "plain" else ["x", "W", "R", "B"]
    if form == "lengths":
        names.append("l")
        inputs["l"] = np.array([6, 2, 4], dtype=np.int32)
    if form == "states":
        names += ["", "h", "c"] if op == "LSTM" else ["", "h"]
        inputs["h"] = rows(count, 3, 5, seed=3)
        inputs |= {"c": rows(count, 3, 5, seed=4)} if op == "LSTM" else {}
    attributes = {"clip": 0.7} if form == "clip" else {}
    if op == "GRU" and form != "clip":
        attributes["linear_before_reset"] = int(form != "states")
    if form == "computed":
        inputs, weights = {**inputs, **weights}, {}
    outputs = ["y", "hn", "cn"][: 3 if op == "LSTM" else 2]
    made = node(op, names, outputs, hidden_size=5, direction=direction, **attributes)
    # clipping at kinks, and gates of a whole sequence, are not what central differences are exact for
    run(
        made,
        inputs,
        {name: array for name, array in weights.items() if name in names},
        outputs=outputs,
        gradient=form != "clip",
    )


def test_recurrent_with_peepholes_and_other_activations() -> None:
    weights = {"W": rows(1, 20, 4), "R": rows(1, 20, 5), "B": rows(1, 40), "P": rows(1, 15)}
    made = node("LSTM", ["x", "W", "R", "B", "", "", "", "P"], hidden_size=5)
    run(made, {"x": rows(6, 3, 4)}, weights)
    made = node("LSTM", ["x", "W", "R", "B"], hidden_size=5, activations=["HardSigmoid", "Relu", "Softsign"])
    run(made, {"x": rows(6, 3, 4)}, {name: weights[name] for name in "WRB"})
    made = node("RNN", ["x", "W", "R"], hidden_size=5, activations=["Relu"])
    run(made, {"x": rows(6, 3, 4)}, {"W": rows(1, 5, 4), "R": rows(1, 5, 5)})


MODES = ["nearest", "linear", "cubic"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"])
@pytest.mark.parametrize("sizes", [(2, 3, 14, 12), (2, 3, 4, 9), (2, 3, 7, 1)])
def test_resize_to_sizes(mode: str, kind: str, sizes: tuple[int, ...]) -> None:
    made = node("Resize", ["x", "", "", "s"], mode=mode, coordinate_transformation_mode=kind)
    run(made, PICTURE, {"s": ints(*sizes)}, tolerance=1e-4)


@pytest.mark.parametrize("rounding", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
def test_resize_by_scales(rounding: str) -> None:
    made = node("Resize", ["x", "", "s"], nearest_mode=rounding, coordinate_transformation_mode="asymmetric")
    run(made, PICTURE, {"s": floats(1, 1, 1.5, 0.6)})


def test_resize_in_its_other_forms() -> None:
    run(node("Resize", ["x", "s"], mode="linear"), PICTURE, {"s": floats(1, 1, 2, 2)}, opset=10)
    run(node("Upsample", ["x", "s"], mode="nearest"), PICTURE, {"s": floats(1, 1, 2, 2)}, opset=9)
    run(node("Upsample", ["x"], mode="nearest", scales=[1.0, 1.0, 2.0, 3.0]), PICTURE, opset=7)
    made = node("Resize", ["x", "", "", "s"], mode="linear", antialias=1)
    run(made, PICTURE, {"s": ints(2, 3, 3, 4)}, opset=18)
    made = node("Resize", ["x", "", "", "s"], axes=[2, 3], keep_aspect_ratio_policy="not_larger")
    run(made, PICTURE, {"s": ints(3, 5)}, opset=18)


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_grid_sample(mode: str, padding: str) -> None:
    grid = np.tanh(rows(2, 4, 5, 2)) * 1.2
    made = node("GridSample", ["x", "g"], mode=mode, padding_mode=padding, align_corners=1)
    run(made, PICTURE, {"g": grid}, opset=16, tolerance=1e-4)


def scaled(nodes: list[Any], opset: int = 17, **more: Any) -> Any:
    return run(nodes, opset=opset, gradient=False, **more)


def test_quantised_there_and_back_is_straight_through() -> None:
    """The gradient of rounding is that of doing nothing, within the range, and is reported as approximate."""
    import torch

    nodes = [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"])]
    weights = {"s": np.array(0.05, dtype=np.float32), "z": np.array(3, dtype=np.int8)}
    translation = scaled(nodes, weights=weights)
    assert translation.approximate == ("QuantizeLinear",)
    leaf = torch.tensor([0.31, 100.0], requires_grad=True)
    translation.graph.run({"x": leaf}, ("y",))["y"].sum().backward()
    assert leaf.grad is not None
    torch.testing.assert_close(leaf.grad, torch.tensor([1.0, 0.0]))


def test_quantised_per_axis_and_per_block() -> None:
    per_axis = {"s": floats(0.05, 0.1, 0.2), "z": np.array([0, 1, 2], dtype=np.uint8)}
    nodes = [node("QuantizeLinear", ["x", "s", "z"], ["q"], axis=1), node("DequantizeLinear", ["q", "s", "z"], axis=1)]
    scaled(nodes, weights=per_axis)
    blocks = {"s": np.abs(rows(2, 3, 2)) + 0.05}
    nodes = [
        node("QuantizeLinear", ["x", "s"], ["q"], axis=2, block_size=2, output_dtype=TensorProto.INT8),
        node("DequantizeLinear", ["q", "s"], axis=2, block_size=2),
    ]
    scaled(nodes, weights=blocks, opset=21)


def test_quantised_products() -> None:
    rng = np.random.Generator(np.random.Philox(0))
    a, b = rng.integers(0, 255, (3, 4), dtype=np.uint8), rng.integers(-127, 127, (4, 2), dtype=np.int8)
    zero = {"az": np.array(7, dtype=np.uint8), "bz": np.array(-3, dtype=np.int8)}
    run(node("MatMulInteger", ["a", "b", "az", "bz"]), {"a": a}, {"b": b, **zero}, gradient=False)
    scales = {"as": floats(0.1), "bs": floats(0.05), "ys": floats(2.0), "yz": np.array(100, dtype=np.uint8)}
    scales = {name: array.reshape(()) for name, array in scales.items()}
    made = node("QLinearMatMul", ["a", "as", "az", "b", "bs", "bz", "ys", "yz"])
    run(made, {"a": a}, {"b": b, **zero, **scales}, gradient=False)
    x, w = rng.integers(0, 255, (1, 2, 5, 5), dtype=np.uint8), rng.integers(0, 255, (3, 2, 3, 3), dtype=np.uint8)
    run(node("ConvInteger", ["x", "w", "az"], pads=[1, 1, 1, 1]), {"x": x}, {"w": w, "az": zero["az"]}, gradient=False)
    made = node("QLinearConv", ["x", "as", "az", "w", "bs", "wz", "ys", "yz"])
    run(made, {"x": x}, {"w": w, "wz": np.array(9, dtype=np.uint8), "az": zero["az"], **scales}, gradient=False)
    nodes = [node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]), node("DequantizeLinear", ["q", "s", "z"])]
    scaled(nodes)


def scalars(**values: Any) -> Any:
    return {name: np.array(value, dtype=np.uint8 if name.endswith("z") else np.float32) for name, value in values.items()}


def test_quantised_operators_of_microsoft() -> None:
    rng = np.random.Generator(np.random.Philox(0))
    one, two = ({name: rng.integers(0, 255, (1, 2, 3, 4), dtype=np.uint8)} for name in ("x", "w"))
    numbers = scalars(xs=0.1, xz=7, ws=0.05, wz=100, ys=0.2, yz=90)
    # half-way cases fall one step apart, because ONNX Runtime multiplies by inverse scales
    more = {"gradient": False, "domains": {"com.microsoft": 1}, "tolerance": 1.5e-2}
    for op in ("QLinearAdd", "QLinearMul"):
        run(node(op, ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], domain="com.microsoft"), {**one, **two}, numbers, **more)
    numbers = scalars(xs=0.1, xz=7, ys=0.02, yz=9)
    for op in ("QLinearSigmoid", "QLinearLeakyRelu", "QLinearGlobalAveragePool"):
        run(node(op, ["x", "xs", "xz", "ys", "yz"], domain="com.microsoft"), one, numbers, **more)
    numbers = scalars(xs=0.1, xz=7, ws=0.05, wz=100, ys=0.2, yz=90)
    made = node("QLinearConcat", ["ys", "yz", "x", "xs", "xz", "w", "ws", "wz"], domain="com.microsoft", axis=1)
    run(made, {**one, **two}, numbers, **more)
    a, b, c = (
        rng.integers(0, 255, (3, 4), dtype=np.uint8),
        rng.integers(0, 255, (2, 4), dtype=np.uint8),
        rng.integers(-99, 99, 2),
    )
    weights = {**numbers, "w": b, "c": c.astype(np.int32)}
    names = ["x", "xs", "xz", "w", "ws", "wz", "c", "ys", "yz"]
    run(node("QGemm", names, domain="com.microsoft", transB=1), {"x": a}, weights, **more)
    del weights["ys"], weights["yz"]
    run(node("QGemm", names[:7], domain="com.microsoft", transB=1), {"x": a}, weights, **more)


MICROSOFT = {"domains": {"com.microsoft": 1}}
EIGHT = {"x": rows(2, 3, 8)}
CONTRIB: dict[str, Callable[[], Any]] = {
    "Gelu": lambda: run(node("Gelu", ["x"], domain="com.microsoft"), **MICROSOFT),
    "FastGelu": lambda: run(node("FastGelu", ["x", "b"], domain="com.microsoft"), X, {"b": rows(4)}, **MICROSOFT),
    "FastGelu without bias": lambda: run(node("FastGelu", ["x"], domain="com.microsoft"), **MICROSOFT),
    "BiasGelu": lambda: run(node("BiasGelu", ["x", "b"], domain="com.microsoft"), X, {"b": rows(4)}, **MICROSOFT),
    "QuickGelu": lambda: run(node("QuickGelu", ["x"], domain="com.microsoft"), **MICROSOFT),
    "SkipLayerNormalization": lambda: run(
        node("SkipLayerNormalization", ["x", "k", "s", "t", "b"], ["y", "", "", "z"], domain="com.microsoft", epsilon=1e-5),
        {**X, "k": rows(2, 3, 4, seed=1)}, {"s": rows(4), "t": rows(4), "b": rows(4)}, outputs=("y", "z"), **MICROSOFT,
    ),
    "SkipSimplifiedLayerNormalization": lambda: run(
        node("SkipSimplifiedLayerNormalization", ["x", "k", "s"], domain="com.microsoft", epsilon=1e-5),
        {**X, "k": rows(2, 3, 4, seed=1)}, {"s": rows(4)}, **MICROSOFT,
    ),
    "SimplifiedLayerNormalization": lambda: run(
        node("SimplifiedLayerNormalization", ["x", "s"], epsilon=1e-5), X, {"s": rows(4)}
    ),
    "FusedMatMul": lambda: run(
        node("FusedMatMul", ["x", "w"], domain="com.microsoft", transB=1, alpha=0.5), X, {"w": rows(5, 4)}, **MICROSOFT
    ),
    "Attention": lambda: run(
        node("Attention", ["x", "w", "b"], domain="com.microsoft", num_heads=2), EIGHT, {"w": rows(8, 24), "b": rows(24)},
        **MICROSOFT,
    ),
    "Attention, causal, masked": lambda: run(
        node("Attention", ["x", "w", "b", "m"], domain="com.microsoft", num_heads=2, unidirectional=1), EIGHT,
        {"w": rows(8, 24), "b": rows(24), "m": np.array([[1, 1, 0], [1, 1, 1]], dtype=np.int32)}, **MICROSOFT,
    ),
    "MultiHeadAttention": lambda: run(
        node("MultiHeadAttention", ["x", "k", "v"], domain="com.microsoft", num_heads=2),
        {**EIGHT, "k": rows(2, 5, 8, seed=1), "v": rows(2, 5, 8, seed=2)}, **MICROSOFT,
    ),
    "CDist": lambda: run(
        node("CDist", ["x", "w"], domain="com.microsoft", metric="euclidean"), {"x": rows(3, 4)}, {"w": rows(5, 4, seed=1)},
        **MICROSOFT,
    ),
    "Inverse": lambda: run(node("Inverse", ["x"], domain="com.microsoft"), {"x": rows(2, 3, 3)}, tolerance=1e-4, **MICROSOFT),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTRIB)
def test_contributed_operators(name: str) -> None:
    CONTRIB[name]()


LEARNED = {"domains": {"ai.onnx.ml": 3}}


def ml(op: str, inputs: Any = None, names: Any = ("x",), outputs: Any = ("y",), **attributes: Any) -> None:
    made = node(op, names, outputs, domain="ai.onnx.ml", **attributes)
    run(made, inputs or {"x": rows(3, 4)}, outputs=outputs[-1:], **LEARNED)


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC", "SOFTMAX"])
def test_linear_models(transform: str) -> None:
    weights = rows(12).tolist()
    ml("LinearRegressor", coefficients=weights, intercepts=[0.1, 0.2, 0.3], targets=3)
    labels = {"classlabels_ints": [4, 5, 6], "intercepts": [0.1, 0.2, 0.3], "post_transform": transform}
    ml("LinearClassifier", outputs=("l", "y"), coefficients=weights, **labels)


def test_preparation_of_columns() -> None:
    ml("Scaler", offset=[0.1, 0.2, 0.3, 0.4], scale=[2.0, 1.0, 0.5, 1.0])
    for norm in ("L1", "L2", "MAX"):
        ml("Normalizer", norm=norm)
    ml("Binarizer", threshold=0.2)
    ml("FeatureVectorizer", {"x": rows(3, 4), "z": rows(3, 2)}, ("x", "z"), inputdimensions=[4, 2])


def test_missing_numbers_are_replaced() -> None:
    x = {"x": np.array([[np.nan, 1, 2, 3]], dtype=np.float32)}
    made = node("Imputer", ["x"], domain="ai.onnx.ml", imputed_value_floats=[9.0] * 4, replaced_value_float=float("nan"))
    run(made, x, gradient=False, **LEARNED)
