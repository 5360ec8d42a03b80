from __future__ import annotations

from math import factorial

import numpy as np
import pytest

from workers.coalitions import all_but_one, every_coalition, every_weight, shapley_weights


def test_every_coalition_once() -> None:
    coalitions = every_coalition(5)
    assert coalitions.shape == (30, 5)
    assert len(np.unique(coalitions, axis=0)) == 30
    assert set(coalitions.sum(axis=1)) == {1, 2, 3, 4}
    assert every_coalition(1).shape == (0, 1)


def test_all_but_one() -> None:
    np.testing.assert_array_equal(all_but_one(3), [[False, True, True], [True, False, True], [True, True, False]])


def test_weights_are_shapleys() -> None:
    n = 6
    for coalition, weights in zip(every_coalition(n), every_weight(n), strict=True):
        s = int(coalition.sum())
        joined = factorial(s - 1) * factorial(n - s) / factorial(n)
        absent = factorial(s) * factorial(n - s - 1) / factorial(n)
        np.testing.assert_allclose(weights, np.where(coalition, joined, -absent), rtol=1e-12)


def test_weight_of_the_grand_coalition() -> None:
    np.testing.assert_allclose(shapley_weights(np.ones((1, 7), dtype=bool)), 1 / 7)


def test_cached_arrays_are_shared_and_read_only() -> None:
    for make in (all_but_one, every_coalition, every_weight):
        assert make(4) is make(4)
        with pytest.raises(ValueError, match="read-only"):
            make(4)[0, 0] = 1
