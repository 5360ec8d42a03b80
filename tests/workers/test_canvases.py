"""Canvases: what is painted stays in the range, and a step goes up along the slope it is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from workers.canvases import Adam, Elements, Spectrum
from workers.game import InputView
from workers.painting import Penalties, _pull, axis_names, shares_of
from workers.whole import Bounds

RNG = np.random.Generator(np.random.Philox(5))


def canvas(kind: Any, shape: tuple[int, ...], axes: tuple[int, int]) -> Any:
    return kind(RNG.uniform(0.2, 0.8, shape), RNG.normal(size=shape), axes)


@pytest.mark.parametrize(("shape", "axes"), [((3, 8, 8), (1, 2)), ((7, 6, 1), (0, 1)), ((5, 9), (0, 1)), ((2, 1, 1), (1, 2))])
def test_a_spectrum_climbs_along_the_true_slope(shape: tuple[int, ...], axes: tuple[int, int]) -> None:
    """The slope to the spectrum's parts is that of finite differences."""
    painted, wish = canvas(Spectrum, shape, axes), RNG.normal(size=shape)
    seen: list[NDArray[Any]] = []
    painted._adam.step = lambda slope, rate: (seen.append(slope), np.zeros_like(slope))[1]
    painted.climb(wish, 1.0)
    rough = np.zeros_like(painted._parts)
    for place in np.ndindex(*painted._parts.shape):
        ends = []
        for step in (1e-5, -1e-5):
            painted._parts[place] += step
            ends.append(float((wish * painted.shares()).sum()))
            painted._parts[place] -= step
        rough[place] = (ends[0] - ends[1]) / 2e-5
    np.testing.assert_allclose(seen[0], rough, atol=1e-6)


@pytest.mark.parametrize("kind", [Elements, Spectrum])
def test_it_stays_in_the_range_and_reaches_what_is_wished(kind: Any) -> None:
    painted, wish = canvas(kind, (1, 8, 8), (1, 2)), np.ones((1, 8, 8))
    wish[0, :, :4] = -1
    for _ in range(200):
        painted.climb(wish, 0.05)
        assert painted.shares().min() >= 0
        assert painted.shares().max() <= 1
    assert painted.shares()[0, :, 5:7].min() > 0.9
    assert painted.shares()[0, :, 1:3].max() < 0.1


@pytest.mark.parametrize("kind", [Elements, Spectrum])
def test_blurring_brings_neighbours_together(kind: Any) -> None:
    painted = kind(np.full((1, 16, 16), 0.5), RNG.normal(size=(1, 16, 16)), (1, 2))
    before = np.abs(np.diff(painted.shares(), axis=2)).mean()
    painted.blur(1.5)
    assert np.abs(np.diff(painted.shares(), axis=2)).mean() < before / 2


def test_adam_against_its_own_formula() -> None:
    """Two steps by hand (Kingma & Ba, algorithm 1)."""
    adam, slopes = Adam(()), [np.array(2.0), np.array(-1.0)]
    assert adam.step(slopes[0], 0.1) == pytest.approx(0.1 * 2 / (2 + 1e-8))
    mean = (0.9 * 0.1 * 2 + 0.1 * -1) / (1 - 0.9**2)
    square = (0.999 * 0.001 * 4 + 0.001 * 1) / (1 - 0.999**2)
    assert adam.step(slopes[1], 0.1) == pytest.approx(0.1 * mean / (square**0.5 + 1e-8))


@pytest.mark.parametrize(
    ("view", "axes"),
    [
        (InputView("x", (2, 4, 5), "image", "NCHW"), (1, 2)), (InputView("x", (4, 5, 2), "image", "NHWC"), (0, 1)),
        (InputView("x", (6, 2), "series", "NTC"), (0,)), (InputView("x", (3,), "tabular"), ()),
    ],
)  # fmt: skip
def test_the_penalties_slope_is_true(view: InputView, axes: tuple[int, ...]) -> None:
    shares = RNG.uniform(0.2, 0.8, view.shape)
    bounds = Bounds(np.zeros(view.shape), np.ones(view.shape), RNG.uniform(0, 1, view.shape), "rows")
    pull = Penalties(3.0, 2.0)

    def penalty(at: NDArray[Any]) -> float:
        rough = sum(float((np.diff(at, axis=axis) ** 2).mean()) for axis in axes)
        return 3.0 * rough + 2.0 * float(((at - bounds.mean) ** 2).mean())

    slope = _pull(shares, view, bounds, pull)
    for place in np.ndindex(*view.shape):
        step = np.zeros(view.shape)
        step[place] = 1e-6
        assert slope[place] == pytest.approx((penalty(shares + step) - penalty(shares - step)) / 2e-6, abs=1e-5)


def test_axes_have_names() -> None:
    assert axis_names(InputView("x", (1, 2, 3), "image", "NCHW")) == ("channel", "row", "column")
    assert axis_names(InputView("x", (9,), "series")) == ("time",)
    assert axis_names(InputView("x", (9, 2), "series", "NCT")) == ("channel", "time")
    assert axis_names(InputView("x", (9, 2))) == ("axis_0", "axis_1")


def test_shares_of_a_range_without_width() -> None:
    bounds = Bounds(np.array([0.0, 1.0]), np.array([0.0, 3.0]), np.array([0.0, 2.0]), "rows")
    assert shares_of(np.array([0.0, 2.5]), bounds).tolist() == [0.5, 0.75]
