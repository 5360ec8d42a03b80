from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from by_hand import Solved, solve
from captum.attr import Occlusion

from explainery.contract.errors import InvalidParameter
from explainery.contract.model_card import InputSpec
from workers.game import Partition
from workers.methods import occlusion

RANDOM = np.random.Generator(np.random.PCG64(4))


def input_of(shape: tuple[int, ...], **more: Any) -> InputSpec:
    return InputSpec(name="input", datatype="FP64", shape=(-1, *shape), **more)


def run(spec: InputSpec, x: np.ndarray, w: np.ndarray, b: Any = 0.0, **params: Any) -> Solved:
    """Occlusion of tanh of a linear function."""
    complete = occlusion.SPEC.complete(params)
    partition = occlusion.players([spec], {"input": x.shape}, complete)

    def f(points: np.ndarray) -> np.ndarray:
        return np.tanh((points * w).reshape(len(points), -1).sum(axis=1))

    return solve(occlusion, f, x, b, partition=partition, params=params)


def by_captum(x: np.ndarray, w: np.ndarray, b: np.ndarray, window: tuple[int, ...], stride: tuple[int, ...]) -> np.ndarray:
    weights = torch.from_numpy(w)

    def f(points: torch.Tensor) -> torch.Tensor:
        return torch.tanh((points * weights).flatten(1).sum(1))

    attribution = Occlusion(f).attribute(
        torch.from_numpy(x)[None], sliding_window_shapes=window, strides=stride, baselines=torch.from_numpy(b)[None]
    )
    return attribution[0].numpy()


@pytest.mark.parametrize(
    ("window", "stride"), [((3, 3, 3), (3, 2, 2)), ((3, 4, 3), (3, 3, 1)), ((1, 2, 5), (1, 2, 3)), ((2, 8, 7), (1, 8, 7))]
)
def test_equals_captum_on_images(window: tuple[int, ...], stride: tuple[int, ...]) -> None:
    x, w, b = RANDOM.normal(size=(3, 3, 8, 7)) / 5
    solved = run(input_of((3, 8, 7), modality="image", layout="NCHW"), x, w, b, window=list(window), stride=list(stride))
    np.testing.assert_allclose(solved.phi, by_captum(x, w, b, window, stride), atol=1e-6)


@pytest.mark.parametrize(("window", "stride"), [(4, 3), (5, 5), (9, 1)])
def test_equals_captum_on_series(window: int, stride: int) -> None:
    x, w, b = RANDOM.normal(size=(3, 9, 2)) / 5
    solved = run(input_of((9, 2), modality="series", layout="NTC"), x, w, b, window=window, stride=stride)
    np.testing.assert_allclose(solved.phi, by_captum(x, w, b, (window, 2), (stride, 2)), atol=1e-6)


@pytest.mark.parametrize(("layout", "shape"), [("NCHW", (3, 8, 6)), ("NHWC", (8, 6, 3)), ("NHW", (8, 6))])
def test_windows_hide_all_channels_of_an_image(layout: Any, shape: tuple[int, ...]) -> None:
    x, w = RANDOM.normal(size=(2, *shape))
    both = [size if size != 3 else 3 for size in shape]
    window = [2 if size != 3 else 3 for size in both]
    solved = run(input_of(shape, modality="image", layout=layout), x, w, window=2, stride=2)
    np.testing.assert_allclose(solved.phi, by_captum(x, w, np.zeros(shape), tuple(window), tuple(window)), atol=1e-6)
    assert solved.evaluations == 12


def test_columns_of_a_table_are_hidden_one_by_one() -> None:
    x, w = RANDOM.normal(size=(2, 5))
    solved = run(input_of((5,), modality="tabular"), x, w)
    expected = np.tanh(x @ w) - np.tanh(x @ w - x * w)
    np.testing.assert_allclose(solved.phi, expected, atol=1e-12)


def test_defaults_on_a_photograph() -> None:
    complete = occlusion.SPEC.complete({})
    spec = input_of((3, 224, 224), modality="image", layout="NCHW")
    assert occlusion.window_and_stride(spec, (3, 224, 224), complete) == ((3, 32, 32), (2, 16, 16))
    partition = occlusion.players([spec], {"input": (3, 224, 224)}, complete)
    assert partition.remaining.shape == (169, 14 * 14)


def test_a_window_lies_in_one_input() -> None:
    specs = [input_of((4,)), InputSpec(name="second", datatype="FP64", shape=(-1, 2, 2))]
    partition = occlusion.players(specs, {"input": (4,), "second": (2, 2)}, {"window": 2, "stride": 2})
    assert partition.labels["input"].tolist() == [0, 0, 1, 1]
    assert partition.labels["second"].tolist() == [[2, 2], [2, 2]]
    np.testing.assert_array_equal(partition.remaining, ~np.eye(3, dtype=bool))
    assert occlusion.cost(partition.players, {}) >= len(partition.remaining)


@pytest.mark.parametrize(
    ("params", "fault"),
    [
        ({"window": 2, "stride": 3}, "at most the window"),
        ({"window": [2, 2, 2, 2]}, "needs 2 or 3 sizes"),
        ({"window": 9, "stride": [1, 1, 1, 1, 1]}, "needs 2 or 3 sizes"),
    ],
)
def test_what_does_not_fit_is_refused(params: dict[str, Any], fault: str) -> None:
    spec = input_of((3, 8, 8), modality="image", layout="NCHW")
    with pytest.raises(InvalidParameter, match=fault):
        occlusion.players([spec], {"input": (3, 8, 8)}, occlusion.SPEC.complete(params))


def test_too_many_windows_are_refused() -> None:
    spec = input_of((1, 224, 224), modality="image", layout="NCHW")
    with pytest.raises(InvalidParameter, match="larger stride"):
        occlusion.players([spec], {"input": (1, 224, 224)}, {"window": 2, "stride": 1})


def test_explains_only_its_own_players() -> None:
    with pytest.raises(TypeError):
        solve(occlusion, lambda p: p.sum(axis=1), [1.0], partition=Partition({"input": np.arange(1)}))
