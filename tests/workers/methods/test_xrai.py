from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from by_hand import solve

from workers.game import InputView
from workers.methods import integrated_gradients, xrai
from workers.segments import planes, regions, superpixels


def picture() -> np.ndarray:
    """Three flat patches of colour, [3, 24, 24]."""
    made = np.zeros((3, 24, 24))
    made[:, :, 12:] = np.array([1.0, 0.2, 0.1])[:, None, None]
    made[:, 12:, :12] = np.array([0.1, 0.3, 1.0])[:, None, None]
    return made


def test_the_best_region_first_by_hand() -> None:
    """Two cuts of four pixels: {01}{23} and {0}{123}. Means: 3, 0, 5, 1/3. {0} is taken; then {1} of {01}; then {23}."""
    cuts = np.array([[[0, 0, 1, 1]], [[2, 3, 3, 3]]])
    shares, ranks = xrai.ranked(np.array([[5.0, 1.0, -2.0, 2.0]]), cuts)
    np.testing.assert_allclose(shares, [[5, 1, 0, 0]])
    np.testing.assert_array_equal(ranks, [[1, 2, 3, 3]])


def test_regions_are_flat_and_still_sum_to_the_difference() -> None:
    x = picture()
    weights = np.random.default_rng(0).normal(size=x.shape) + 2 * (x[:1] > 0.5)
    view = (InputView("input", x.shape, "image", "NCHW"),)
    solved = solve(
        xrai,
        lambda points: (points * weights).sum(axis=(1, 2, 3)),
        x,
        gradient=lambda points: np.broadcast_to(weights, points.shape),
        inputs=view,
    )
    assert solved.phi.sum() == pytest.approx((x * weights).sum())
    for part in (solved.phi[:, 2:10, 2:10], solved.phi[:, 14:22, 2:10], solved.phi[:, 2:22, 14:22]):
        assert np.ptp(part) == pytest.approx(0, abs=1e-12)
    ranks = solved.solution.maps[0].values
    assert ranks.shape == (24, 24)
    assert set(np.unique(ranks)) == set(range(1, int(ranks.max()) + 1))
    assert ranks[5, 18] < ranks[5, 5]  # the patch that the model likes comes first
    plain = solve(
        integrated_gradients,
        lambda points: (points * weights).sum(axis=(1, 2, 3)),
        x,
        gradient=lambda points: np.broadcast_to(weights, points.shape),
    )
    assert plain.phi.sum() == pytest.approx(solved.phi.sum())


def test_every_cut_covers_the_picture() -> None:
    cuts = regions(planes(picture(), "NCHW"))
    assert cuts.shape[1:] == (24, 24)
    for cut, after in pairwise(cuts):
        assert cut.max() < after.min()


def test_superpixels_follow_edges() -> None:
    labels = superpixels(planes(picture(), "NCHW"), 6)
    assert set(np.unique(labels)) == set(range(int(labels.max()) + 1))
    left, right = set(np.unique(labels[:, :12])), set(np.unique(labels[:, 12:]))
    assert not left & right
    flat = superpixels(planes(np.full((8, 8), 3.0), "NHW"), 4)
    assert flat.shape == (8, 8)
