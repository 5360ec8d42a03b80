from __future__ import annotations

from math import comb

import numpy as np
import pytest

from workers.pairs import inclusion, leverage_pairs, pairs_in_all


@pytest.mark.parametrize("players", [2, 3, 4, 5, 8, 9])
def test_all_pairs_once(players: int) -> None:
    pairs = leverage_pairs(players, pairs_in_all(players), 3)
    both = np.concatenate([pairs, ~pairs])
    assert len(np.unique(both, axis=0)) == len(both) == 2**players - 2
    np.testing.assert_array_equal(inclusion(pairs), 1.0)


def test_sizes_share_the_budget_until_they_are_used_up() -> None:
    sizes = np.bincount(leverage_pairs(20, 190, 0).sum(axis=1), minlength=11)
    assert sizes[1] == 20  # 20 pairs in all: the share of size 1 would be full just here
    assert sizes[2:10].min() >= 19
    assert sizes[2:10].max() <= 21
    assert sizes[10] == pytest.approx(10, abs=1)  # its pairs are two coalitions of the same size, met twice as often


def test_nested_and_seeded() -> None:
    long = leverage_pairs(30, 200, 5)
    np.testing.assert_array_equal(leverage_pairs(30, 70, 5), long[:70])
    assert not np.array_equal(leverage_pairs(30, 200, 6), long)


def test_without_replacement_beyond_listing() -> None:
    pairs = leverage_pairs(40, 3000, 1)
    assert len(np.unique(np.concatenate([pairs, ~pairs]), axis=0)) == 6000


def test_inclusion_counts_what_was_drawn_of_a_size() -> None:
    pairs = leverage_pairs(10, 60, 0)
    drawn = np.bincount(pairs.sum(axis=1), minlength=6)
    for size, share in zip(pairs.sum(axis=1), inclusion(pairs), strict=True):
        assert share == drawn[size] / (comb(10, size) / (2 if size == 5 else 1))
