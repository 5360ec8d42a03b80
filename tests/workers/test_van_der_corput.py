from __future__ import annotations

import numpy as np
import pytest

from workers.van_der_corput import plain, scrambled


@pytest.mark.parametrize("start", [0, 64, 4096])
def test_powers_of_two_fall_one_into_each_part(start: int) -> None:
    for count in (2, 8, 64):
        numbers = scrambled(np.arange(start, start + count), 3, "test")
        np.testing.assert_array_equal(np.sort(np.floor(numbers * count)), np.arange(count))


def test_plain() -> None:
    assert [plain(place) for place in range(6)] == [0, 0.5, 0.25, 0.75, 0.125, 0.625]


def test_uniform_over_seeds_and_inside_each_part() -> None:
    drawn = np.stack([scrambled(np.arange(8), seed, "test") for seed in range(2000)])
    inside = np.sort(drawn, axis=1) * 8 - np.arange(8)
    for numbers in (drawn[:, 0], drawn[:, 5], inside[:, 0], inside[:, 7]):
        counts = np.histogram(numbers, bins=10, range=(0, 1))[0]
        assert ((counts - 200) ** 2 / 200).sum() < 27.9  # chi-squared with 9 degrees, 0.1 %
    assert abs(np.corrcoef(inside, rowvar=False) - np.eye(8)).max() < 0.09


def test_keyed_by_seed_and_purpose_alone() -> None:
    places = np.arange(100)
    np.testing.assert_array_equal(scrambled(places, 1, "a")[50:], scrambled(places[50:], 1, "a"))
    assert not np.allclose(scrambled(places, 1, "a"), scrambled(places, 2, "a"))
    assert not np.allclose(scrambled(places, 1, "a"), scrambled(places, 1, "b"))
