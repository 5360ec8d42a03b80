"""What adaptive methods are likely to need, from runs of which some were cut off."""

from __future__ import annotations

import pytest

from explainery.contract.estimate import Run
from explainery.contract.needed import likely_share


def run(calls: int, most: int | None, rows: int = 1) -> Run:
    return Run(values=1, gradients=calls - 1, rows=rows, seconds=1.0, most=most)


def test_runs_that_say_nothing() -> None:
    assert likely_share([], 100, 1) is None
    assert likely_share([run(50, None)], 100, 1) is None


def test_the_middle_of_what_rows_needed_whatever_they_were_allowed() -> None:
    runs = [run(20, 1000), run(30, 500), run(160, 10_000, rows=4)]
    assert likely_share(runs, 1000, 1) == pytest.approx(0.03)
    assert likely_share(runs, 1000, 10) == pytest.approx(0.3)
    assert likely_share(runs, 10, 1) == 1.0


def test_runs_that_were_cut_off_say_no_less() -> None:
    """By hand: of four, two were cut off at 10; of the two others one needed 40: half of those who are left."""
    assert likely_share([run(10, 10), run(10, 10), run(40, 1000), run(80, 1000)], 1000, 1) == pytest.approx(0.04)
    assert likely_share([run(5, 1000), run(10, 10), run(40, 1000), run(80, 1000)], 1000, 1) == pytest.approx(0.04)


def test_where_most_were_cut_off_it_lies_between_the_longest_and_the_most() -> None:
    runs = [run(10, 10), run(64, 64), run(5, 100)]
    assert likely_share(runs, 6400, 1) == pytest.approx(0.1)
    assert likely_share(runs, 32, 1) == 1.0
