"""Class activation maps, worked by hand on two channels of two by two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from explainery.contract.layers import LayerSpec
from workers.game import Game, InputView, Partition
from workers.maps import channels_of, onto, upsampled
from workers.questions import InternalAnswer, Internals, Solution, Values
from workers.registry import discover

METHODS = discover().methods
LAYER = LayerSpec(path="conv", type="Conv2d", shape=(2, 2, 2), parameters=0, grid=(2, 2), convolution=True)
VIEW = InputView("input", (1, 4, 4), "image", "NCHW")
A = np.array([[[1.0, 0.0], [0.0, 2.0]], [[0.0, 1.0], [1.0, 0.0]]])
G = np.array([[[0.5, 0.5], [0.0, 1.0]], [[-1.0, 0.0], [0.0, 0.5]]])


def solved(method: str, relu: bool = True, values: NDArray[Any] | None = None) -> Solution:
    """Answer the method's questions: the activations and gradients above, and the scores behind each mask."""
    plugin: Any = METHODS[method]
    labels = {"input": np.arange(16).reshape(1, 4, 4)}
    game = Game(Partition(labels), 1.0, 0.25, layers=(LAYER,), inputs=(VIEW,))
    steps = plugin.explain(game, {"layer": "auto", "relu": relu, "samples": 8})
    answer: Any = None
    while True:
        try:
            question = steps.send(answer)
        except StopIteration as done:
            solution: Solution = done.value
            return solution
        if isinstance(question, Values):
            answer = values
        else:
            assert isinstance(question, Internals)
            answer = InternalAnswer(np.array([1.0]), {"conv": A}, {"conv": G})


def raw(method: str, **more: Any) -> list[list[float]]:
    (found,) = solved(method, **more).maps
    assert (found.name, found.layer, found.axes) == ("raw_map", "conv", ("row", "column"))
    listed: list[list[float]] = found.values.round(9).tolist()
    return listed


def test_grad_cam() -> None:
    """Mean gradients 1/2 and -1/8."""
    assert raw("grad_cam", relu=False) == [[0.5, -0.125], [-0.125, 1.0]]
    assert raw("grad_cam") == [[0.5, 0.0], [0.0, 1.0]]


def test_hires_cam() -> None:
    """Place by place: only the first channel is active where there are gradients."""
    assert raw("hires_cam") == [[0.5, 0.0], [0.0, 2.0]]


def test_layer_cam() -> None:
    """The same without the negative gradient, which meets no activation here."""
    assert raw("layer_cam") == [[0.5, 0.0], [0.0, 2.0]]


def test_xgrad_cam() -> None:
    """Weights (0.5 + 2) / 3 and 0 / 2."""
    assert raw("xgrad_cam") == [[round(2.5 / 3, 9), 0.0], [0.0, round(5 / 3, 9)]]


def test_grad_cam_plus_plus() -> None:
    """Channel 1, sum 3: shares .25 / (.5 + 3/8) at 1/2 and 1 / (2 + 3) at 1. Channel 2, sum 2: .25 / (.5 + 2/8) at 1/2."""
    one = 2 * 0.5 * 0.25 / 0.875 + 1 * 1 / 5
    two = 0.5 * 0.25 / 0.75
    assert raw("grad_cam_plus_plus") == [[round(one, 9), round(two, 9)], [round(two, 9), round(2 * one, 9)]]


def test_eigen_cam() -> None:
    """Over the places (1, 0, 0, 2) and (0, 1, 1, 0): the first component of their covariance, signed like their sum."""
    places = A.reshape(2, 4).T - A.reshape(2, 4).T.mean(axis=0)
    values, vectors = np.linalg.eigh(places.T @ places)
    component = places @ vectors[:, values.argmax()]
    component = component if component @ A.sum(axis=0).reshape(-1) >= 0 else -component
    np.testing.assert_allclose(raw("eigen_cam", relu=False), component.reshape(2, 2), atol=1e-9)


def test_score_cam() -> None:
    """Scores 1 and 0.5 behind the two masks, less f(b) = 0.25 both: softmax weights."""
    weights = np.exp([0.75, 0.25]) / np.exp([0.75, 0.25]).sum()
    expected = np.tensordot(weights, A, 1)
    np.testing.assert_allclose(raw("score_cam", values=np.array([1.0, 0.5])), expected, atol=1e-9)


@pytest.mark.parametrize("method", ["grad_cam", "hires_cam", "layer_cam"])
def test_maps_are_upsampled_as_torch_does_it(method: str) -> None:
    solution = solved(method)
    assert solution.per_element is not None
    small = torch.tensor(solution.maps[0].values)[None, None]
    large = torch.nn.functional.interpolate(small, (4, 4), mode="bilinear")
    np.testing.assert_allclose(solution.per_element["input"], large[0].numpy(), atol=1e-9)


@pytest.mark.parametrize("size", [(2, 2), (3, 5), (7, 4), (1, 1), (16, 9)])
def test_upsampling_to_any_size(size: tuple[int, int]) -> None:
    map_ = np.random.Generator(np.random.Philox(1)).normal(size=(3, 4))
    large = torch.nn.functional.interpolate(torch.tensor(map_)[None, None], size, mode="bilinear")
    np.testing.assert_allclose(upsampled(map_, size), large[0, 0].numpy(), atol=1e-9)


def test_layouts() -> None:
    """Channels last, one channel without an axis, and inputs that are no picture."""
    map_ = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert (onto(map_, InputView("x", (2, 2, 3), "image", "NHWC")) == map_[:, :, None]).all()
    assert (onto(map_, InputView("x", (2, 2), "image", "NHW")) == map_).all()
    assert (onto(map_, InputView("x", (5,), "tabular")) == 0).all()
    tokens = LayerSpec(path="b", type="B", shape=(5, 3), parameters=0, grid=(2, 2), channel_axis=1, tokens_before=1)
    values = np.arange(15.0).reshape(5, 3)
    assert channels_of(tokens, values).tolist() == values[1:].T.reshape(3, 2, 2).tolist()
