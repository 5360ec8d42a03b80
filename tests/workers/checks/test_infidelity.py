"""Infidelity against figures worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from checks_by_hand import Checked, check, linear, product

from workers.checks import infidelity
from workers.thresholds import judged, worst

WEIGHTS = [2.0, -1.0, 0.5, 3.0]
MEAN_SQUARE = (14.25 + 48.75 + 54.75) / 14
"""Of what taking away every set of 1, 2 or 3 of the four players does to f = w . x at x = 1, b = 0.

One: 4 + 1 + 0.25 + 9 = 14.25. Two: sums 1, 2.5, 5, -0.5, 2, 3.5: 1 + 6.25 + 25 + 0.25 + 4 + 12.25 = 48.75.
Three, 4.5 less the fourth: 2.5, 5.5, 4, 1.5: 6.25 + 30.25 + 16 + 2.25 = 54.75. Over 4 + 6 + 4 = 14 sets.
"""


def verdict(found: Checked) -> str:
    return worst([judged(f"infidelity.{name}", found[name], "any")[0] for name in ("score", "correlation")])


def test_the_truth_of_a_linear_model_is_faithful() -> None:
    found = check(infidelity, WEIGHTS, linear(WEIGHTS, bias=7.0))
    assert found["perturbations"] == 14
    assert found["infidelity"] == pytest.approx(0, abs=1e-25)
    assert (found["scale"], found["correlation"]) == (pytest.approx(1), pytest.approx(1))
    assert verdict(found) == "pass"


def test_twice_the_truth_is_off_by_the_truth_and_found_by_scaling() -> None:
    """(2 d - d)^2 = d^2 on average, and half of it is right."""
    found = check(infidelity, [2 * weight for weight in WEIGHTS], linear(WEIGHTS))
    assert found["infidelity"] == pytest.approx(MEAN_SQUARE)
    assert (found["scale"], found["scaled_infidelity"]) == (pytest.approx(0.5), pytest.approx(0, abs=1e-25))
    assert verdict(found) == "pass"


def test_the_wrong_sign_is_off_by_twice_the_truth_and_fails() -> None:
    """(-d - d)^2 = 4 d^2 on average; no positive scale helps."""
    found = check(infidelity, [-weight for weight in WEIGHTS], linear(WEIGHTS))
    assert found["infidelity"] == pytest.approx(4 * MEAN_SQUARE)
    assert (found["scale"], found["correlation"]) == (pytest.approx(-1), pytest.approx(-1))
    assert verdict(found) == "fail"


def test_the_product_game() -> None:
    """x1 x2 with half each: either set of one foretells 0.5 and loses 1: (0.5 - 1)^2 = 0.25, and twice the values are right."""
    found = check(infidelity, [0.5, 0.5], product)
    assert (found["perturbations"], found["infidelity"], found["scale"]) == (2, 0.25, 2.0)
    assert found["scaled_infidelity"] == 0.0
    assert found["correlation"] is None
    assert verdict(found) == "pass"


def test_equal_attributions_of_unequal_players_fail() -> None:
    found = check(infidelity, [1.0] * 4, linear(WEIGHTS))
    assert found["correlation"] == 0.0
    assert verdict(found) == "fail"
    assert found.finding.note


def test_nothing_to_tell_apart_decides_nothing() -> None:
    found = check(infidelity, [1.0, 5.0, 2.0], linear([1.0, 1.0, 1.0]))
    assert found["correlation"] is None
    assert verdict(found) == "pass"


@pytest.mark.parametrize("samples", [3, 30, 192, 1000])
@pytest.mark.parametrize("players", [2, 5, 30])
def test_the_budget_holds_and_sets_are_of_three_sizes(samples: int, players: int) -> None:
    weights = np.arange(players) + 1.0
    found = check(infidelity, weights, linear(weights), params={"samples": samples})
    assert 0 < found.evaluations <= samples
    sizes = {int((~row).sum()) for row in found.asked[0].coalitions}
    assert sizes == {max(1, min(players - 1, round(share * players))) for share in (0.25, 0.5, 0.75)}


def test_one_player_asks_nothing() -> None:
    assert check(infidelity, [1.0], linear([1.0])).asked == []
