"""Variances of gradients, in any chunks and on the device's precision."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from questions_by_loop import Formula, make_row

from workers.game import Partition
from workers.questions import Gradients
from workers.spread import add_spread, spread_of
from workers.sums import Sums

PARTITION = Partition({"a": np.arange(3), "b": np.arange(3, 7).reshape(2, 2)})


@pytest.mark.parametrize("chunks", [[12], [1, 4, 7], [3] * 4])
@pytest.mark.parametrize("mean", [0.0, 1e4])
def test_weighted_variance_in_any_chunks(chunks: list[int], mean: float) -> None:
    """A large mean in single precision does not drown it."""
    row = make_row(Formula(), PARTITION, 1, 1, dtype=np.float32)
    rng = np.random.Generator(np.random.PCG64(0))
    weights = rng.random(12)
    question = Gradients(np.ones(12), weights / weights.sum(), baselines=np.zeros(12, dtype=np.int64), variances=True)
    gradients = {"a": (mean + rng.normal(size=(12, 3))).astype(np.float32), "b": rng.normal(size=(12, 2, 2)).astype(np.float32)}
    sums, start = Sums(), 0
    for size in chunks:
        points = SimpleNamespace(start=start, stop=start + size)
        add_spread(sums, row, question, points, {name: part[start : start + size] for name, part in gradients.items()})
        start += size
    found = spread_of(row, question, sums.fetched(row.model))
    for name, part in gradients.items():
        about = part.astype(np.float64) - np.average(part.astype(np.float64), axis=0, weights=weights)
        np.testing.assert_allclose(found[name], np.average(about**2, axis=0, weights=weights), rtol=1e-4)


def test_what_is_the_same_everywhere_has_no_variance() -> None:
    row = make_row(Formula(), PARTITION, 1, 1, dtype=np.float32)
    question = Gradients(np.ones(7), np.full(7, 1 / 7), baselines=np.zeros(7, dtype=np.int64), variances=True)
    sums = Sums()
    same = {"a": np.full((7, 3), 1234.5678, np.float32), "b": np.ones((7, 2, 2), np.float32)}
    add_spread(sums, row, question, SimpleNamespace(start=0, stop=7), same)
    assert not spread_of(row, question, sums.fetched(row.model))["a"].any()
