"""Deletion and insertion against areas worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from checks_by_hand import Checked, check, linear, product

from workers.checks import deletion, insertion
from workers.thresholds import judged, worst

WEIGHTS = [2.0, -1.0, 0.5, 3.0]
"""f = 2 x0 - x1 + 0.5 x2 + 3 x3 at x = (1, 1, 1, 1), b = 0: f(x) = 4.5, f(b) = 0, and the weights are the attributions."""


def verdict(name: str, found: Checked) -> str:
    return worst([judged(f"{name}.{figure}", found[figure], "any")[0] for figure in ("score", "kept")])


def test_deletion_on_a_linear_model() -> None:
    """Players 3, 0, 2, 1 leave: 4.5, then 4.5 - 3 = 1.5, - 2 = -0.5, - 0.5 = -1, + 1 = 0.

    Trapezes of width 1/4: (4.5 / 2 + 1.5 - 0.5 - 1 + 0 / 2) / 4 = 2.25 / 4 = 0.5625.
    """
    found = check(deletion, WEIGHTS, linear(WEIGHTS))
    assert found["share"] == [0, 0.25, 0.5, 0.75, 1]
    np.testing.assert_allclose(found["curve"], [4.5, 1.5, -0.5, -1, 0])
    assert found["kept"] == pytest.approx(1)
    assert found["area"] == pytest.approx(0.5625)
    assert found["advantage"] == pytest.approx(found["attainable"])
    assert verdict("deletion", found) == "pass"


def test_insertion_on_a_linear_model() -> None:
    """Players come in the same order: 0, 3, 5, 5.5, 4.5. (0 / 2 + 3 + 5 + 5.5 + 4.5 / 2) / 4 = 15.75 / 4 = 3.9375."""
    found = check(insertion, WEIGHTS, linear(WEIGHTS))
    np.testing.assert_allclose(found["curve"], [0, 3, 5, 5.5, 4.5])
    assert found["area"] == pytest.approx(3.9375)
    assert found["advantage"] == pytest.approx(found["attainable"])
    assert verdict("insertion", found) == "pass"


@pytest.mark.parametrize(("plugin", "sign"), [(deletion, 1), (insertion, -1)])
def test_random_orders_have_the_area_of_a_straight_line_on_average(plugin: object, sign: int) -> None:
    """Of an additive game: from 4.5 to 0, mean 2.25. The best order deviates by 2.25 - 0.5625 = 3.9375 - 2.25 = 1.6875."""
    found = check(plugin, WEIGHTS, linear(WEIGHTS), params={"samples": 4000, "orders": 400})
    assert found["random_mean"] == pytest.approx(2.25, abs=4 * found["random_spread"] / 20)
    assert sign * (found["random_mean"] - found["area"]) == pytest.approx(1.6875, abs=4 * found["random_spread"] / 20)
    assert found["advantage"] == pytest.approx(sign * (found["random_mean"] - found["area"]) / found["random_spread"])


@pytest.mark.parametrize("plugin", [deletion, insertion])
def test_the_wrong_sign_fails(plugin: object) -> None:
    found = check(plugin, [-weight for weight in WEIGHTS], linear(WEIGHTS))
    assert found["advantage"] == pytest.approx(-found["attainable"])
    assert verdict(plugin.SPEC.name, found) == "fail"


@pytest.mark.parametrize(("plugin", "curve", "area"), [(deletion, [1, 0, 0], 0.25), (insertion, [0, 0, 1], 0.25)])
def test_the_product_game_has_no_order(plugin: object, curve: list[float], area: float) -> None:
    """x1 x2: whoever goes first, the output is 0 at half. (1 / 2 + 0 + 0) / 2 = 0.25 for every order."""
    found = check(plugin, [0.5, 0.5], product)
    assert (found["curve"], found["area"], found["random_mean"]) == (curve, area, area)
    assert found["advantage"] is None
    assert found["score"] is None
    assert found.finding.note
    assert verdict(plugin.SPEC.name, found) == "pass"


def test_one_player_asks_nothing() -> None:
    found = check(deletion, [1.0], linear([1.0]))
    assert found.asked == []
    assert found.finding.note


@pytest.mark.parametrize(("samples", "orders"), [(4, 20), (30, 2), (400, 20), (1000, 50)])
@pytest.mark.parametrize("players", [2, 10, 64])
def test_the_budget_holds(samples: int, orders: int, players: int) -> None:
    weights = np.arange(players) - 3.0
    found = check(deletion, weights, linear(weights), params={"samples": samples, "orders": orders})
    assert 0 < found.evaluations <= samples
    assert len(found["curve"]) == len(found["share"]) <= players + 1
    assert found["share"] == sorted(set(found["share"]))


def test_the_seed_draws_the_orders() -> None:
    one, same, other = (check(deletion, WEIGHTS, linear(WEIGHTS), seed=seed)["random_mean"] for seed in (1, 1, 2))
    assert one == same != other


def test_all_alike_attributions_have_no_order_of_their_own() -> None:
    found = check(deletion, [1.0] * 4, linear(WEIGHTS))
    assert found["attainable"] is None
    assert verdict("deletion", found) == "fail"
