from __future__ import annotations

import numpy as np
import pytest
from by_hand import Solved, solve

from explainery.contract.model_card import InputSpec
from workers.methods import rise
from workers.soft_masks import Contrast, Field, masks

RNG = np.random.Generator(np.random.PCG64(6))


def spec(modality: str, shape: list[int], layout: str | None = None) -> InputSpec:
    return InputSpec(name="input", datatype="FP64", shape=(-1, *shape), modality=modality, layout=layout)


def places(modality: str, shape: list[int], layout: str | None = None, cells: int = 3) -> rise.Places:
    return rise.players([spec(modality, shape, layout)], {"input": tuple(shape)}, {"cells": cells})


def run(f: object, shape: list[int], modality: str = "tensor", layout: str | None = None, **params: float) -> Solved:
    partition = places(modality, shape, layout, int(params.get("cells", 3)))
    return solve(rise, f, np.ones(shape), partition=partition, params={"cells": 3, **params})


def test_every_mask_when_the_samples_pay_for_it() -> None:
    """Then it is the mean change over all companies: the Banzhaf value."""
    table = RNG.normal(size=32)

    def game(z: np.ndarray) -> np.ndarray:
        return table[(z > 0.5) @ (1 << np.arange(5))]

    solved = run(game, [5], samples=32)
    members = (np.arange(32)[:, None] >> np.arange(5)) % 2 == 1
    expected = [table[members[:, i]].mean() - table[~members[:, i]].mean() for i in range(5)]
    np.testing.assert_allclose(solved.phi, expected, atol=1e-12)
    assert solved.evaluations == 30
    assert not solved.solution.standard_error.any()


def test_the_papers_map_centred() -> None:
    """The paper's weighted mean of the masks has the same values but for one factor and one constant per place's own share."""
    w = RNG.normal(size=(1, 8, 8))

    def f(points: np.ndarray) -> np.ndarray:
        return np.tanh((points * w).sum(axis=(1, 2, 3)))

    solved = run(f, [1, 8, 8], "image", "NCHW", samples=202)
    shares = np.concatenate([question.coalitions for question in solved.asked])
    values = f(shares.reshape(-1, 1, 8, 8))
    seen = (values @ shares) / shares.sum(axis=0)
    expected = (seen - values.mean()) / (1 - shares.mean(axis=0))
    np.testing.assert_allclose(solved.phi, expected, atol=1e-9)
    assert len(shares) == solved.evaluations == rise.cost(64, {"samples": 202}) == 200


def test_countare_smooth_alike_everywhere_and_of_their_block_alone() -> None:
    fields = (Field((30, 20), (5, 4)),)
    many = np.concatenate([masks(fields, 0.3, 1, block, 64) for block in range(60)]).reshape(-1, 30, 20)
    assert many.min() >= 0
    assert many.max() <= 1
    np.testing.assert_allclose(many.mean(axis=0), 0.3, atol=0.03)
    spread = many.std(axis=0)
    assert spread.max() < 1.15 * spread.min()  # the border is no exception
    assert np.abs(np.diff(many, axis=1)).max() <= 5 / 30 + 1e-9  # one cell's step at most, spread over a cell
    np.testing.assert_array_equal(masks(fields, 0.3, 1, 7, 64), many[7 * 64 : 8 * 64].reshape(64, -1))
    assert not np.array_equal(masks(fields, 0.3, 2, 7, 64), masks(fields, 0.3, 1, 7, 64))


def test_a_planted_patch_stands_out() -> None:
    def f(points: np.ndarray) -> np.ndarray:
        return points[:, 0, 2:5, 9:12].mean(axis=(1, 2)) ** 2

    for layout, shape in (("NCHW", [1, 16, 16]), ("NHW", [16, 16])):
        solved = run(f if layout == "NCHW" else lambda p: f(p[:, None]), shape, "image", layout, samples=1500, cells=6)
        heat = solved.phi.reshape(16, 16)
        assert np.unravel_index(heat.argmax(), heat.shape) in {(row, column) for row in range(2, 5) for column in range(9, 12)}
        assert heat.max() > 10 * solved.solution.standard_error.max()


def test_planted_steps_of_a_series_stand_out() -> None:
    solved = run(lambda p: p[:, 20:24, 1].sum(axis=1), [40, 2], "series", samples=800, cells=10)
    assert solved.phi.shape == (40,)
    assert solved.phi.argmax() in range(19, 25)


def test_intervals_cover_what_many_countgive() -> None:
    w = RNG.normal(size=(1, 8, 8))

    def f(points: np.ndarray) -> np.ndarray:
        return np.tanh((points * w).sum(axis=(1, 2, 3))) + 100

    partition = places("image", [1, 8, 8], "NCHW")
    truth = solve(rise, f, np.ones((1, 8, 8)), partition=partition, params={"cells": 3, "samples": 40_000}, seed=99).phi
    inside = []
    for seed in range(40):
        one = solve(rise, f, np.ones((1, 8, 8)), partition=partition, params={"cells": 3, "samples": 130}, seed=seed)
        inside.append(np.abs(one.phi - truth) <= 1.96 * one.solution.standard_error)
    assert 0.90 <= np.mean(inside) <= 0.98


def test_the_standard_error_by_its_definition() -> None:
    """Mask by mask: the influence each has on the ratio of means; and the variance of one mask more, shown and hidden."""
    shares, values = RNG.random((50, 4)), RNG.normal(size=50)
    found = Contrast(4)
    found.add(shares[:20], values[:20])
    found.add(shares[20:], values[20:])
    shown, hidden = shares.sum(axis=0), (1 - shares).sum(axis=0)
    present, absent = values @ shares / shown, values @ (1 - shares) / hidden
    influence = shares * (values[:, None] - present) / shown - (1 - shares) * (values[:, None] - absent) / hidden
    counts = (shown**2 / (shares**2).sum(axis=0), hidden**2 / ((1 - shares) ** 2).sum(axis=0))
    more = values.var(ddof=1) * (1 / counts[0] ** 2 + 1 / counts[1] ** 2)
    np.testing.assert_allclose(found.contrast(), present - absent, atol=1e-12)
    np.testing.assert_allclose(found.standard_error(), np.sqrt((influence**2).sum(axis=0) + more), atol=1e-12)


def test_a_place_that_never_varied_says_nothing() -> None:
    found = Contrast(2)
    found.add(np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([1.0, 3.0]))
    np.testing.assert_array_equal(found.contrast(), [0.0, 2.0])
    assert found.standard_error()[0] >= np.sqrt(2)  # the outputs' own spread: nobody knows


@pytest.mark.parametrize(("count", "share"), [(4, 0.5), (8, 0.1), (16, 0.1), (64, 0.5)])
def test_intervals_of_few_countare_not_too_narrow(count: int, share: float) -> None:
    rng = np.random.default_rng(0)
    weights, bend = rng.normal(size=12), rng.normal(size=(12, 3))

    def outputs(z: np.ndarray) -> np.ndarray:
        return np.tanh(z @ bend).sum(axis=1) + 0.3 * z @ weights

    many = (rng.random((100_000, 12)) < share).astype(float)
    truth, inside = Contrast(12), []
    truth.add(many, outputs(many))
    for _ in range(100):
        drawn, found = (rng.random((count, 12)) < share).astype(float), Contrast(12)
        found.add(drawn, outputs(drawn))
        inside.append(np.abs(found.contrast() - truth.contrast()) <= 1.96 * found.standard_error())
    assert 0.88 <= np.mean(inside) <= 0.99


@pytest.mark.parametrize(("layout", "shape"), [("NCHW", [3, 4, 5]), ("NHWC", [4, 5, 3]), ("NHW", [4, 5])])
def test_channels_of_a_place_move_together(layout: str, shape: list[int]) -> None:
    partition = places("image", shape, layout)
    assert partition.players == 20
    assert set(partition.sizes) == {3 if len(shape) == 3 else 1}
