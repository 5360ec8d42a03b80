"""What is in use is counted by the allocators: exact, and gone when it is freed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from workers.footprint import Footprint, give_back, in_use, installed

MIB = 2**20


@pytest.mark.parametrize(
    "make", [lambda: np.ones(4 * MIB, dtype=np.float64), lambda: torch.ones(8 * MIB), lambda: bytes(bytearray(32 * MIB))]
)
def test_what_is_allocated_counts_until_it_is_freed(make):
    before = in_use("cpu").host
    held = make()
    assert in_use("cpu").host - before == pytest.approx(32 * MIB, rel=0.02)
    del held
    give_back()
    assert abs(in_use("cpu").host - before) < MIB


def test_small_things_count_too():
    before = in_use("cpu").host
    held = [bytes(10_000) for _ in range(1000)]
    assert in_use("cpu").host - before == pytest.approx(10_000_000, rel=0.05)
    del held


def test_there_is_more_installed_than_in_use():
    assert installed("cpu").host > in_use("cpu").host > 0
    assert installed("cpu").device == 0


def test_differences_are_never_negative():
    assert Footprint(1, 5) - Footprint(3, 2) == Footprint(0, 3)
    assert Footprint(1, 5) + Footprint(3, 2) == Footprint(4, 7)


@pytest.mark.parametrize(("size", "fits"), [((1, 1), True), ((2, 2), True), ((3, 1), False), ((1, 3), False)])
def test_both_must_fit(size, fits):
    assert Footprint(*size).within(Footprint(2, 2)) is fits
