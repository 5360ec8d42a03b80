"""Seconds from past runs: prices that are found again, priors that hold where runs say nothing, outliers that teach little."""

from __future__ import annotations

import random

import pytest

from explainery.contract import pace
from explainery.contract.estimate import Run

ABOVE = (2e-3, 1e-4, 3e-4, 5e-4)


def run(values: int, gradients: int = 0, rows: int = 1, seconds: float = 0.0) -> Run:
    return Run(values=values, gradients=gradients, rows=rows, seconds=seconds)


def at(prices: pace.Prices, asked: Run, noise: float = 1.0) -> Run:
    return asked.model_copy(update={"seconds": pace.seconds(prices, asked) * noise})


def test_without_runs_the_level_above_decides() -> None:
    assert pace.fit([], ABOVE) == ABOVE
    assert pace.prior("torch") == pace.prior("a runtime nobody knows")


def test_prices_are_found_again_and_carry_to_other_sizes() -> None:
    true = (5e-3, 2e-5, 0.0, 2e-3)
    runs = [at(true, run(values, rows=rows)) for values, rows in ((10, 1), (200, 1), (4000, 4), (900, 16), (60, 8))]
    prices = pace.fit(runs, ABOVE)
    for asked in (run(100_000, rows=1), run(10, rows=64), run(2000, rows=2)):
        assert pace.seconds(prices, asked) == pytest.approx(pace.seconds(true, asked), rel=0.15)


def test_one_run_makes_everything_dearer_in_proportion() -> None:
    """Runs of one size tell nothing apart: the level above says how the price is made up."""
    prices = pace.fit([at((2e-2, 1e-3, 3e-3, 5e-3), run(100))], ABOVE)
    assert pace.seconds(prices, run(1000)) == pytest.approx(10 * pace.seconds(ABOVE, run(1000)), rel=0.2)


def test_outliers_teach_little() -> None:
    draw, true = random.Random(3), (1e-3, 1e-4, 0.0, 1e-3)
    runs = [at(true, run(draw.randint(10, 5000), rows=draw.randint(1, 8)), draw.uniform(0.9, 1.1)) for _ in range(40)]
    runs += [at(true, run(500, rows=2), 20.0) for _ in range(5)]
    prices = pace.fit(runs, ABOVE)
    assert pace.seconds(prices, run(2000, rows=4)) == pytest.approx(pace.seconds(true, run(2000, rows=4)), rel=0.2)


def test_a_price_that_was_nothing_can_rise_again() -> None:
    free = (1e-3, 0.0, 0.0, 0.0)
    runs = [at((1e-3, 1e-3, 0.0, 0.0), run(values)) for values in (10, 100, 1000, 3000)]
    assert pace.seconds(pace.fit(runs, free), run(2000)) == pytest.approx(2.0, rel=0.3)


def test_runs_like_the_one_asked_put_the_prices_right() -> None:
    """What grows with the square of the calls is no sum of prices; near runs say how far off these are."""
    runs = [run(values, seconds=1e-8 * values**2) for values in (500, 1000, 2000, 4000, 8000)]
    prices = pace.fit(runs, ABOVE)
    for values in (500, 2000, 8000):
        assert pace.like(prices, runs, run(values)) == pytest.approx(1e-8 * values**2, rel=0.35)
    assert pace.like(prices, [], run(100)) == pace.seconds(prices, run(100))


def test_no_price_is_negative() -> None:
    runs = [run(10, seconds=1.0), run(100, seconds=0.5), run(1000, seconds=0.25)]
    assert min(pace.fit(runs, ABOVE)) >= 0


def test_first_runs_of_a_process_are_told_apart() -> None:
    runs = [run(1), run(2).model_copy(update={"cold": True}), run(3)]
    assert [each.values for each in pace.warm(runs)] == [1, 3]
