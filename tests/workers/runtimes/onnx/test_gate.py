"""The parity gate: what passes, what is refused and why, and that black-box questions stay."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import repos
import structlog
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import node, rows
from torch import nn

from explainery.contract.errors import MethodUnavailable
from explainery.settings import Settings
from workers.local import Local, Order
from workers.runtimes.onnx import gate, inspect
from workers.runtimes.onnx.apply import Apply
from workers.runtimes.onnx.table import BUILDERS, Entry

FOUR = repos.tensor_input("input", [4])
W = {"w": rows(4, 2)}
SQUASH = [node("MatMul", ["input", "w"], ["h"]), node("Tanh", ["h"], ["score"])]


@pytest.fixture(autouse=True)
def logs() -> Iterator[Any]:
    with structlog.testing.capture_logs() as lines:
        yield lines


def lab(folder: Path) -> Local:
    return Local(Settings(models=str(folder), device="cpu", threads=1))


def add(folder: Path, nodes: Any = SQUASH, weights: Any = W, inputs: str = FOUR, **more: Any) -> Any:
    shapes = {"input": ["n", 4], "score": ["n", 2], **more}
    repos.add_onnx(folder, "m", nodes, weights, inputs, repos.output(2), **shapes)
    return lab(folder).load("m").model


def instead(monkeypatch: pytest.MonkeyPatch, op: str, module: nn.Module) -> None:
    """Plant a wrong builder."""
    monkeypatch.setitem(BUILDERS, ("", op), Entry(lambda made: module, (1, None), 1))


def test_an_equal_translation_passes_with_its_difference(tmp_path: Path) -> None:
    verdict = add(tmp_path).verdict
    assert set(verdict.cannot) == {"trees"}
    assert verdict.parity is not None
    assert 0 <= verdict.parity < 1e-6
    assert verdict.approximate == ()


def test_a_wrong_translation_is_refused_and_black_box_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, "Tanh", nn.Softsign())
    model = add(tmp_path)
    assert "differs from ONNX Runtime by" in model.verdict.cannot["gradients"]
    assert model.verdict.parity > 1e-3
    assert model.forward({"input": rows(3, 4)}).shape == (3, 2)
    with pytest.raises(MethodUnavailable, match="gives no gradients: the translation to torch differs"):
        model.gradients({"input": rows(3, 4)}, np.zeros(3, dtype=np.int64))


def test_jobs_on_a_refused_model_fail_with_the_reason_and_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, "Tanh", nn.Softsign())
    add(tmp_path)
    local = lab(tmp_path)
    order = {"inputs": {"input": rows(2, 4)}, "params": {}}
    with pytest.raises(MethodUnavailable, match="differs from ONNX Runtime"):
        local.explain("m", Order("integrated_gradients", **order))
    local.explain("m", Order("kernel_shap", **order))


def test_a_difference_that_shows_only_away_from_the_sample_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Right at zero, wrong elsewhere: noise around the sample finds it."""
    instead(monkeypatch, "Tanh", nn.Identity())
    sample = '[sample]\nfile = "s.npz"\n'
    repos.add_onnx(tmp_path, "m", SQUASH, W, FOUR, repos.output(2) + sample, input=["n", 4], score=["n", 2])
    np.savez(tmp_path / "m" / "1" / "s.npz", input=np.zeros((2, 4), np.float32))
    assert "differs" in lab(tmp_path).load("m").model.verdict.cannot["gradients"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda x: x[:, :1], "answers \\[2, 1\\] where ONNX Runtime answers \\[2, 2\\]"),
        (lambda x: x * float("nan"), "differs from ONNX Runtime by inf"),
        (lambda x: x.unknown, "the translation fails \\(AttributeError in Tanh"),
        (lambda x: 1 / 0, "the translation fails \\(ZeroDivisionError"),
    ],
)
def test_whatever_goes_wrong_refuses_gradients_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Any, reason: str
) -> None:
    instead(monkeypatch, "Tanh", Apply("Tanh", answer))
    model = add(tmp_path)
    with pytest.raises(MethodUnavailable, match=reason):
        model.gradients({"input": rows(1, 4)}, np.zeros(1, dtype=np.int64))
    assert model.forward({"input": rows(1, 4)}).shape == (1, 2)


def test_a_missing_operator_is_named_without_loading(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["input", "w"], ["h"]), node("RandomNormalLike", ["h"], ["score"])]
    repos.add_onnx(tmp_path, "m", nodes, W, FOUR, repos.output(2), input=["n", 4], score=["n", 2])
    repository = lab(tmp_path).repository
    found = repository.find("m", 1)
    card, files = repository.files("m", 1, found.digest)
    assert inspect(card, files).cannot["gradients"] == "RandomNormalLike is not translated"


def test_steps_have_no_gradient(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["input", "w"], ["h"]), node("Greater", ["h", "zero"], ["b"]), node("Cast", ["b"], ["score"], to=1)]
    verdict = add(tmp_path, nodes, {**W, "zero": np.array(0, dtype=np.float32)}).verdict
    assert "by steps only" in verdict.cannot["gradients"]


def test_open_axes_are_guessed_until_the_runtime_takes_them(tmp_path: Path) -> None:
    """A convolution of 20 steps does not fit a series of 8."""
    inputs = repos.tensor_input("input", [-1, 4])
    nodes = [
        node("Transpose", ["input"], ["t"], perm=[0, 2, 1]), node("Conv", ["t", "w"], ["c"]),
        node("ReduceMean", ["c"], ["score"], axes=[2], keepdims=0),
    ]  # fmt: skip
    model = add(tmp_path, nodes, {"w": rows(2, 4, 20)}, inputs, input=["n", "time", 4])
    assert model.verdict.parity is not None


def test_a_fixed_batch_is_kept_to(tmp_path: Path) -> None:
    model = add(tmp_path, input=[3, 4], score=[3, 2])
    points, columns = rows(7, 4), np.arange(7) % 2
    outputs, gradients = model.gradients({"input": points}, columns)
    expected = np.tanh(points @ W["w"])
    np.testing.assert_allclose(outputs, expected[np.arange(7), columns], atol=1e-6)
    slopes = (1 - expected[np.arange(7), columns] ** 2)[:, None] * W["w"].T[columns]
    np.testing.assert_allclose(gradients["input"], slopes, atol=1e-5)


def test_inputs_of_whole_numbers_get_zeros(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [
            node("Gather", ["table", "ids"], ["e"]), node("ReduceSum", ["e", "axis"], ["s"], keepdims=0),
            node("Mul", ["s", "x"], ["score"]),
        ],
        "g",
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", 3]),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2]),
        ],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(rows(5, 2), "table"), numpy_helper.from_array(np.array([1]), "axis")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    card = 'title = "m"\nformat = "onnx"\nfile = "m.onnx"\n' + repos.tensor_input("ids", [3], "INT64")
    repos.write(tmp_path, "m", card + repos.tensor_input("x", [2]) + repos.output(2), {"m.onnx": model.SerializeToString()})
    ids, x = np.array([[0, 1, 4]]), rows(1, 2)
    _, gradients = lab(tmp_path).load("m").model.gradients({"ids": ids, "x": x}, np.array([1]))
    assert not gradients["ids"].any()
    np.testing.assert_allclose(gradients["x"], [[0, rows(5, 2)[ids[0], 1].sum()]], rtol=1e-5)


def test_probes_are_the_same_at_each_load() -> None:
    assert gate.TOLERANCE == 1e-4
    spec = repos_input()
    one, two = (gate._random(spec, 8, np.random.Generator(np.random.Philox(0))) for _ in range(2))
    assert np.array_equal(one, two)


def repos_input() -> Any:
    from explainery.contract.model_card import InputSpec

    return InputSpec(name="x", datatype="FP32", shape=(-1, -1, 3), range=(0.0, 1.0))
