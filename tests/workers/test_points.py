"""Questions become model inputs: any range of a question's evaluations can be built alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from questions_by_loop import Formula, make_row

from workers.game import Partition
from workers.points import coalition_points, frame_points, path_points, place_labels
from workers.questions import Gradients, Noise, Values

PARTITION = Partition({"a": np.array([0, 0, 1]), "b": np.array([[2, 3], [3, 2]])})
PLAIN = Partition({"a": np.arange(3), "b": np.arange(3, 7).reshape(2, 2)})
COALITIONS = np.random.Generator(np.random.Philox(5)).random((6, 4)) < 0.5


def test_the_frame_is_the_instance_and_its_baselines() -> None:
    row = make_row(Formula(), PARTITION, 1, backgrounds=3)
    points = frame_points(row, 0, 4)
    assert np.array_equal(points["a"][0], row.instance["a"][0])
    assert np.array_equal(points["b"][1:], row.baselines["b"])
    assert np.array_equal(frame_points(row, 2, 4)["b"], points["b"][2:])


@pytest.mark.parametrize("backgrounds", [1, 3])
def test_coalitions_keep_the_instance_where_players_are_present(backgrounds: int) -> None:
    row = make_row(Formula(), PARTITION, 1, backgrounds)
    points = coalition_points(row, Values(COALITIONS), COALITIONS, 0, 6 * backgrounds)
    for evaluation in range(6 * backgrounds):
        coalition, which = divmod(evaluation, backgrounds)
        for name, labels in PARTITION.labels.items():
            expected = np.where(COALITIONS[coalition][labels], row.instance[name][0], row.baselines[name][which])
            assert np.array_equal(points[name][evaluation], expected)


@pytest.mark.parametrize("partition", [PARTITION, PLAIN])
@pytest.mark.parametrize("backgrounds", [1, 3])
def test_any_range_of_coalitions_alone(partition: Partition, backgrounds: int) -> None:
    row = make_row(Formula(), partition, 1, backgrounds)
    masks = np.random.Generator(np.random.Philox(5)).random((4, partition.players)) < 0.5
    everything = coalition_points(row, Values(masks), masks, 0, 4 * backgrounds)
    for start in range(4 * backgrounds):
        for stop in range(start + 1, 4 * backgrounds + 1):
            part = coalition_points(row, Values(masks), masks, start, stop)
            assert all(np.array_equal(part[name], everything[name][start:stop]) for name in part)


def test_players_in_order_need_no_labels() -> None:
    assert place_labels(Formula(), PLAIN) == {"a": None, "b": None}
    placed = place_labels(Formula(), PARTITION)
    assert placed["b"] is not None
    assert placed["b"].tolist() == [2, 3, 3, 2]


@pytest.mark.parametrize("noise", [None, Noise(3, 0.2, first=10)])
@pytest.mark.parametrize("backgrounds", [1, 3])
def test_any_range_of_a_path_alone(backgrounds: int, noise: Noise | None) -> None:
    """Noise belongs to the draw's number: not to the chunk, not to the baseline."""
    row = make_row(Formula(), PARTITION, 1, backgrounds)
    question = Gradients(np.linspace(0, 1, 5), np.ones(5), noise=noise)
    everything, used = path_points(row, question, 0, 5 * backgrounds)
    for start in range(5 * backgrounds):
        part, of = path_points(row, question, start, start + 1)
        for name in part:
            assert np.array_equal(part[name][0], everything[name][start])
            assert np.array_equal(of[name][0], used[name][start])
    later = Gradients(question.alphas[2:], question.weights[2:], noise=noise and Noise(3, 0.2, first=12))
    points, _ = path_points(row, later, 0, 3 * backgrounds)
    for name in points:
        assert np.array_equal(points[name], everything[name][2 * backgrounds :])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_ends_of_a_path_are_instance_and_baseline_themselves(dtype: type) -> None:
    """However far away the baseline is: a gradient at x must be the gradient at x."""
    row = make_row(Formula(), PARTITION, 1, 1, dtype=dtype)
    row.baselines["a"] *= dtype(3e4)
    points, _ = path_points(row, Gradients(np.array([1.0, 0.0]), np.ones(2)), 0, 2)
    assert points["a"].dtype == dtype
    for name in points:
        assert np.array_equal(points[name][0], row.instance[name][0])
        assert np.array_equal(points[name][1], row.baselines[name][0])


def test_noise_is_a_share_of_each_inputs_range() -> None:
    row = make_row(Formula(), PARTITION, 1, 1)
    question = Gradients(np.ones(4000), np.ones(4000), noise=Noise(0, 0.25))
    points, _ = path_points(row, question, 0, 4000)
    for name in points:
        deviation = (points[name] - row.instance[name]).std()
        assert deviation == pytest.approx(0.25 * np.ptp(row.instance[name]), rel=0.03)


class OnTorch(Formula):
    """The same, with torch's arrays."""

    def __init__(self) -> None:
        super().__init__(xp=torch)

    def place(self, array: np.ndarray) -> torch.Tensor:  # type: ignore[override]
        return torch.tensor(array)


def test_torch_builds_the_same_points() -> None:
    for backgrounds in (1, 3):
        ours, theirs = (make_row(model, PARTITION, 1, backgrounds) for model in (Formula(), OnTorch()))
        question = Gradients(np.linspace(0, 1, 5), np.ones(5), noise=Noise(1, 0.5))
        pairs = [
            (frame_points(ours, 0, 2), frame_points(theirs, 0, 2)),
            (
                coalition_points(ours, Values(COALITIONS), COALITIONS, 1, 6),
                coalition_points(theirs, Values(COALITIONS), torch.tensor(COALITIONS), 1, 6),
            ),
            (path_points(ours, question, 1, 5)[0], path_points(theirs, question, 1, 5)[0]),
        ]
        for one, other in pairs:
            for name in one:
                np.testing.assert_allclose(other[name].numpy(), one[name], rtol=1e-12)
