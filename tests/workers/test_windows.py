from __future__ import annotations

import numpy as np
import pytest

from workers.windows import cut, windows_and_atoms


@pytest.mark.parametrize(
    ("shape", "window", "stride"), [((7,), (3,), (2,)), ((5, 6), (2, 6), (2, 1)), ((3, 4, 5), (2, 3, 4), (1, 2, 4))]
)
def test_atoms_lie_wholly_in_or_out_of_every_window(
    shape: tuple[int, ...], window: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    labels, covers = cut(shape, window, stride)
    assert labels.shape == shape
    assert set(labels.reshape(-1)) == set(range(covers.shape[1]))
    assert covers.shape == windows_and_atoms(shape, window, stride)
    assert covers.any(axis=0).all()
    for number, start in enumerate(np.ndindex(*[-(-(n - w) // s) + 1 for n, w, s in zip(shape, window, stride, strict=True)])):
        expected = np.zeros(shape, dtype=bool)
        expected[tuple(slice(i * s, i * s + w) for i, s, w in zip(start, stride, window, strict=True))] = True
        np.testing.assert_array_equal(covers[number][labels], expected)
