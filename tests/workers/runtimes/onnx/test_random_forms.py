"""Operators with many attributes in random forms: what is accepted is what ONNX Runtime answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx_graphs import by_runtime, by_translation, model_of, node

from workers.runtimes.onnx.refusal import Untranslatable
from workers.runtimes.onnx.translate import translate

TURNS = 60
Form = tuple[Any, dict[str, Any], dict[str, Any]]
"""A node, its inputs and its weights."""


class Dice:
    """Seeded draws."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.Generator(np.random.Philox(seed))

    def whole(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def of(self, *choices: Any) -> Any:
        return choices[self.whole(0, len(choices) - 1)]

    def numbers(self, *shape: int) -> Any:
        return self.rng.normal(size=shape).astype(np.float32)

    def map(self) -> tuple[Any, list[int]]:
        """A tensor of one to three spatial axes, and a kernel for it."""
        axes = self.of(1, 2, 2, 3)
        x = self.numbers(self.whole(1, 2), self.of(2, 4), *(self.whole(4, 8) for _ in range(axes)))
        return x, [self.whole(1, 3) for _ in range(axes)]

    def window(self, kernel: list[int], *, dilated: bool = True) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.of(True, False):
            found["strides"] = [self.whole(1, 3) for _ in kernel]
        if dilated and self.of(True, False):
            found["dilations"] = [self.whole(1, 2) for _ in kernel]
        mode = self.of("pads", "pads", "auto", "none")
        if mode == "pads":
            found["pads"] = [self.whole(0, size - 1) for size in kernel * 2]
        if mode == "auto":
            found["auto_pad"] = self.of("SAME_UPPER", "SAME_LOWER", "VALID")
        return found


def conv(dice: Dice) -> Form:
    x, kernel = dice.map()
    groups = dice.of(1, x.shape[1])
    weights = {"w": dice.numbers(4, x.shape[1] // groups, *kernel), "b": dice.numbers(4)}
    return node("Conv", ["x", "w", "b"], group=groups, **dice.window(kernel)), {"x": x}, weights


def transposed(dice: Dice) -> Form:
    x, kernel = dice.map()
    window = dice.window(kernel)
    if "strides" in window and "auto_pad" not in window and dice.of(True, False):
        window["output_padding"] = [dice.whole(0, stride - 1) for stride in window["strides"]]
    weights = {"w": dice.numbers(x.shape[1], 2, *kernel)}
    return node("ConvTranspose", ["x", "w"], group=dice.of(1, x.shape[1]), **window), {"x": x}, weights


def pool(dice: Dice) -> Form:
    x, kernel = dice.map()
    op = dice.of("MaxPool", "AveragePool", "LpPool")
    window = dice.window(kernel, dilated=op != "LpPool")
    if op == "AveragePool":
        window["count_include_pad"] = dice.of(0, 1)
    if "auto_pad" not in window:
        window["ceil_mode"] = dice.of(0, 1)
    return node(op, ["x"], kernel_shape=kernel, **window), {"x": x}, {}


def slices(dice: Dice) -> Form:
    x, _ = dice.map()
    count = dice.whole(1, x.ndim)
    lists = {
        "s": dice.rng.integers(-9, 9, count), "e": dice.rng.integers(-9, 9, count), "a": dice.rng.permutation(x.ndim)[:count],
        "t": np.array([dice.of(1, 2, 3, -1, -2) for _ in range(count)]),
    }  # fmt: skip
    return node("Slice", ["x", "s", "e", "a", "t"]), {"x": x}, lists


def pads(dice: Dice) -> Form:
    x, _ = dice.map()
    around = np.array([0, 0, *(dice.whole(0, 2) for _ in range(x.ndim - 2))] * 2)
    return node("Pad", ["x", "p"], mode=dice.of("constant", "reflect", "edge", "wrap")), {"x": x}, {"p": around}


def resize(dice: Dice) -> Form:
    x = dice.numbers(1, 2, dice.whole(3, 8), dice.whole(3, 8))
    # prefer_ceil: half-way places fall to either side by the last bit of a division
    attributes = {
        "mode": dice.of("nearest", "linear", "cubic"), "nearest_mode": dice.of("round_prefer_floor", "floor", "ceil"),
        "coordinate_transformation_mode": dice.of("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"),
    }  # fmt: skip
    if dice.of(True, False):
        sizes = np.array([*x.shape[:2], dice.whole(1, 12), dice.whole(1, 12)])
        return node("Resize", ["x", "", "", "s"], **attributes), {"x": x}, {"s": sizes}
    scales = np.array([1, 1, dice.of(0.5, 1.5, 2, 3), dice.of(0.5, 1.5, 2, 3)], dtype=np.float32)
    return node("Resize", ["x", "", "s"], **attributes), {"x": x}, {"s": scales}


def gathers(dice: Dice) -> Form:
    x, _ = dice.map()
    axis = dice.whole(-x.ndim, x.ndim - 1)
    size = x.shape[axis]
    return node("Gather", ["x", "i"], axis=axis), {"x": x}, {"i": dice.rng.integers(-size, size, dice.of((), (3,), (2, 2)))}


def gemm(dice: Dice) -> Form:
    turn_a, turn_b = dice.of(0, 1), dice.of(0, 1)
    bias = dice.numbers(*dice.of((5,), (1, 5), (3, 5), (3, 1), (1,), ()))
    weights = {"w": dice.numbers(*((5, 4) if turn_b else (4, 5))), "c": bias}
    attributes = {"transA": turn_a, "transB": turn_b, "alpha": 0.7, "beta": dice.of(1.0, 0.3)}
    return node("Gemm", ["x", "w", "c"], **attributes), {"x": dice.numbers(*((4, 3) if turn_a else (3, 4)))}, weights


FORMS: list[Callable[[Dice], Form]] = [conv, transposed, pool, slices, pads, resize, gathers, gemm]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_random_forms(form: Callable[[Dice], Form]) -> None:
    dice = Dice(0)
    compared = 0
    for _ in range(TURNS):
        made, inputs, weights = form(dice)
        model = model_of([made], inputs, weights, opset=19)
        try:
            (expected,) = by_runtime(model, inputs)
        except Exception:  # noqa: S112  # forms that ONNX Runtime does not take, either
            continue
        try:
            (found,) = by_translation(translate(model, ["y"]), inputs)
        except (Untranslatable, RuntimeError, ValueError):  # refused: when translated, or by the gate
            continue
        assert tuple(found.shape) == expected.shape, made
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-3, atol=1e-4, err_msg=str(made))
        compared += 1
    assert compared >= TURNS // 2
