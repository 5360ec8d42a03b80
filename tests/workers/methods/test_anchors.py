"""Anchors on models whose rules are known, and whether what is stated of a rule holds on rows drawn here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import whole_by_hand as hand
from scipy.stats import binom

from explainery.contract.errors import ExplaineryError
from workers.anchoring import lowest
from workers.methods import anchors as method

RNG = np.random.Generator(np.random.Philox(8))
DATA = RNG.uniform(size=(400, 4))
NAMES = ("a", "b", "c", "d")


def both_high(x: np.ndarray) -> np.ndarray:
    """Class 1 where a and b are in their upper halves, as the data's median has it."""
    yes = (x[:, 0] > np.median(DATA[:, 0])) & (x[:, 1] > np.median(DATA[:, 1]))
    return np.stack([~yes, yes], axis=1).astype(float)


def redrawn(row: dict[str, Any], data: np.ndarray, features: list[str], count: int, rng: Any) -> np.ndarray:
    """Fresh rows by a report's own words: rows of the data, and what is outside the rule taken from rows inside."""
    points = data[rng.integers(len(data), size=count)].copy()
    for condition in row["rule"]:
        column = features.index(condition["feature"])
        values = data[:, column]
        inside = np.ones(len(data), dtype=bool)
        if condition["equals"] is not None:
            inside &= values == condition["equals"]
        if condition["low"] is not None:
            inside &= values > condition["low"]
        if condition["high"] is not None:
            inside &= values <= condition["high"]
        outside = ~np.isin(points[:, column], values[inside])
        points[outside, column] = rng.choice(values[inside], outside.sum())
    return points


def test_a_rule_of_two_halves_is_found() -> None:
    card = hand.card(NAMES, 2, "probabilities", labels=["no", "yes"])
    (row,) = hand.answer(method, both_high, card, [[0.9, 0.9, 0.1, 0.5]], {"bins": 2}, background=DATA).report["rows"]
    assert [condition["feature"] for condition in row["rule"]] == ["a", "b"]
    assert row["text"].startswith("If a > ")
    assert row["text"].endswith("output is yes.")
    np.testing.assert_allclose([condition["low"] for condition in row["rule"]], np.median(DATA[:, :2], axis=0))
    assert row["estimate"] == 1.0
    assert row["coverage"] == ((DATA[:, 0] > np.median(DATA[:, 0])) & (DATA[:, 1] > np.median(DATA[:, 1]))).mean()
    assert row["quality"] == {"converged": True, "verdict": "pass", "notes": []}
    (row,) = hand.answer(method, both_high, card, [[0.1, 0.9, 0.1, 0.5]], {"bins": 2}, background=DATA).report["rows"]
    assert [condition["text"] for condition in row["rule"]] == [f"a <= {np.median(DATA[:, 0]):.6g}"]


def test_what_holds_of_everything_needs_no_rule() -> None:
    card = hand.card(NAMES, 2, "probabilities")
    (row,) = hand.answer(method, lambda x: np.tile([0.2, 0.8], (len(x), 1)), card, DATA[:1], background=DATA).report["rows"]
    assert row["rule"] == []
    assert row["coverage"] == 1.0
    assert row["text"] == "Whatever the features are, output is 1."


def test_where_no_rule_is_good_enough_it_says_so() -> None:
    """Whether the sum of the digits far behind the point is even: no interval of a feature says anything about it."""

    def noise(x: np.ndarray) -> np.ndarray:
        even = np.floor(x.sum(axis=1) * 1e7) % 2
        return np.stack([even, 1 - even], axis=1)

    card = hand.card(NAMES, 2, "probabilities")
    (row,) = hand.answer(method, noise, card, DATA[:1], {"samples": 8000}, background=DATA).report["rows"]
    assert row["quality"]["converged"] is False
    assert row["quality"]["verdict"] == "warn"
    assert "No rule was shown to reach a precision of 0.95" in row["quality"]["notes"][0]
    assert row["precision"] < 0.6
    assert row["model_evaluations"] <= 8000


def test_categories_and_blocks_are_equal_or_not() -> None:
    rng = np.random.Generator(np.random.Philox(9))
    data = np.column_stack([rng.integers(0, 3, 200), np.eye(3)[rng.integers(0, 3, 200)], rng.uniform(size=200)])
    features = ["kind", "rent", "own", "free", "noise"]
    card = hand.card(
        features, 1, "probabilities", categories={"kind": ("x", "y", "z")}, groups={"housing": ("rent", "own", "free")},
        actionability={"one_hot": ["housing"]},
    )  # fmt: skip

    def f(x: np.ndarray) -> np.ndarray:
        assert set(np.unique(x[:, 1:4])) <= {0.0, 1.0}
        assert (x[:, 1:4].sum(axis=1) == 1).all(), "a block is never torn"
        return ((x[:, 0] == 2) & (x[:, 2] == 1)).astype(float)

    rows = [[2, 0, 1, 0, 0.5]]
    (row,) = hand.answer(method, f, card, rows, background=data).report["rows"]
    assert {condition["text"] for condition in row["rule"]} == {"kind = z", "housing = own"}
    assert {condition["equals"] for condition in row["rule"]} == {"z", "own"}
    assert row["outcome"]["label"] == "1"


def test_a_number_has_its_band() -> None:
    """f = a: within half a standard deviation of 0.5 lies what has a in the parts beside it."""
    (row,) = hand.answer(
        method, lambda x: x[:, 0], hand.card(NAMES), [[0.5, 0, 0, 0]], {"bins": 10, "band": 0.5}, background=DATA
    ).report["rows"]
    (condition,) = row["rule"]
    assert condition["feature"] == "a"
    assert 0.3 < condition["low"] < 0.5 < condition["high"] < 0.7
    assert row["outcome"]["index"] is None
    assert "within the band" in row["text"]


def test_stated_precision_holds_on_fresh_rows() -> None:
    """40 rows of a model with soft edges: what is stated is reached by 10,000 rows drawn here in 95 % of cases or more."""
    w = np.array([3.0, -2.0, 1.0, 0.0])

    def f(x: np.ndarray) -> np.ndarray:
        p = 1 / (1 + np.exp(-8 * ((x - 0.5) @ w + np.sin(9 * x[:, 3]) / 4)))
        return np.stack([1 - p, p], axis=1)

    card = hand.card(NAMES, 2, "probabilities")
    report = hand.answer(method, f, card, DATA[:40], {"samples": 20_000, "precision": 0.9}, background=DATA, seed=3).report
    rng = np.random.Generator(np.random.Philox(10))
    own = f(DATA[:40]).argmax(axis=1)
    fresh = [
        (f(redrawn(row, DATA, list(NAMES), 10_000, rng)).argmax(axis=1) == own[row["row"]]).mean() for row in report["rows"]
    ]
    held = [there >= row["precision"] for there, row in zip(fresh, report["rows"], strict=True)]
    assert np.mean(held) >= 0.95
    assert sum(row["quality"]["converged"] for row in report["rows"]) >= 30
    far = [there - row["estimate"] for there, row in zip(fresh, report["rows"], strict=True)]
    assert np.abs(far).max() < 0.04, "the rows that the estimate is from are drawn as the report says"


def test_the_lower_end_is_clopper_and_pearsons() -> None:
    """At the lower end, as many hits or more are seen with just the probability that is allowed."""
    for hits, rows, error in ((95, 100, 0.01), (1500, 1500, 0.005), (1, 20, 0.1)):
        end = lowest(hits, rows, error)
        assert binom.sf(hits - 1, rows, end) == pytest.approx(error, rel=1e-6)
    assert lowest(0, 10, 0.05) == 0.0


def test_data_are_needed() -> None:
    with pytest.raises(ExplaineryError, match="as the baseline with 20 rows at least"):
        hand.answer(method, both_high, hand.card(NAMES, 2, "probabilities"), DATA[:3])
