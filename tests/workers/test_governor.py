"""Chunk sizes follow what was measured: the clock is an argument, so a machine is a formula here."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from workers.governor import CPU_ELEMENTS, CPU_POINTS, FIRST_ELEMENTS, FIRST_POINTS, LONGEST_S, MOST_POINTS, REVISIT, Governor


def settle(governor: Governor, elements: int, seconds: Callable[[int], float]) -> int:
    """Feed full chunks until the size stays."""
    for _ in range(60):
        size = governor.size("kind", elements)
        governor.went("kind", size, seconds(size))
    return governor.size("kind", elements)


def test_first_guess_fits_the_input() -> None:
    assert Governor().size("kind", FIRST_ELEMENTS) == 1
    assert Governor().size("kind", 10 * FIRST_ELEMENTS) == 1
    assert Governor().size("kind", 1) == FIRST_POINTS


def test_grows_at_once_while_a_chunk_takes_no_time() -> None:
    assert settle(Governor(), 1, lambda size: 1e-4 + 1e-8 * size) == MOST_POINTS


def test_grows_while_large_chunks_pay() -> None:
    assert settle(Governor(), 1, lambda size: 0.1 + 1e-5 * size) > 1000


def test_a_slow_model_is_not_asked_much_at_once() -> None:
    assert settle(Governor(), 1, lambda size: 0.02 * size) <= FIRST_POINTS


def test_shrinks_when_small_chunks_are_faster() -> None:
    assert settle(Governor(), 1000, lambda size: 0.01 * size * (1 + size / 8)) < FIRST_POINTS


def test_a_larger_chunk_must_pay_for_its_memory() -> None:
    """2 % more speed at a doubling is not worth it; 20 % is."""
    assert settle(Governor("cuda:0"), 1000, lambda size: 0.1 * size / 1.02 ** (size.bit_length() - 1)) <= FIRST_POINTS
    assert settle(Governor("cuda:0"), 1000, lambda size: 0.01 * size / 1.2 ** (size.bit_length() - 1)) > FIRST_POINTS


def test_memory_is_bounded_on_a_cpu_whatever_it_would_gain() -> None:
    assert settle(Governor(), CPU_ELEMENTS // 64, lambda size: 0.01) == 64
    assert settle(Governor(), 150_000, lambda size: 0.01) == CPU_POINTS


def test_long_chunks_are_not_grown() -> None:
    assert settle(Governor(), FIRST_ELEMENTS // 4, lambda size: LONGEST_S * size**0.5) <= 4


def test_follows_a_machine_that_changes() -> None:
    """Large chunks are best at first; then they are not, and the governor comes down."""
    governor = Governor("cuda:0")
    before = settle(governor, 1000, lambda size: 0.05 + 0.001 * size)
    for _ in range(40 * REVISIT):
        size = governor.size("kind", 1000)
        governor.went("kind", size, 1e-3 * size * (1 + size / 8))
    assert governor.size("kind", 1000) <= before / 4


def test_partial_chunks_teach_nothing() -> None:
    governor = Governor()
    size = governor.size("kind", FIRST_ELEMENTS // 8)
    for _ in range(10):
        governor.went("kind", size - 1, 1e-9)
    assert governor.size("kind", FIRST_ELEMENTS // 8) == size


def test_out_of_memory_halves_for_good() -> None:
    governor = Governor()
    size = governor.size("kind", FIRST_ELEMENTS // 64)
    assert governor.exhausted("kind", size)
    assert governor.size("kind", FIRST_ELEMENTS // 64) == size // 2
    assert settle(governor, FIRST_ELEMENTS // 64, lambda _: 0.001) == size // 2


@pytest.mark.parametrize("points", [1, 2, 3])
def test_a_single_point_that_does_not_fit_is_the_end(points: int) -> None:
    governor = Governor()
    governor.size("kind", 1)
    assert governor.exhausted("kind", points) is (points > 1)
