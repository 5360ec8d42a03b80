"""The checks that run the method again: what they ask for, and what they make of the answers."""

from __future__ import annotations

import numpy as np
import pytest
from checks_by_hand import check, linear

from workers.checks import max_sensitivity, randomisation, stability
from workers.ranks import correlation, rank_correlation
from workers.recheck import Again, Rerun
from workers.thresholds import judged

WEIGHTS = np.array([2.0, -1.0, 0.5, 3.0])


def moved(asked: Again) -> Rerun:
    """Gradient times input of w . x, at x = 1: w (1 + move)."""
    assert asked.moves is not None
    return Rerun(WEIGHTS * (1 + asked.moves["input"]))


def test_max_sensitivity_of_a_linear_attribution() -> None:
    """phi(y) - phi(x) = w (y - x): its norm, largest over the moves that were asked for."""
    found = check(max_sensitivity, WEIGHTS, linear(WEIGHTS), again=moved, params={"runs": 5, "radius": 0.1}, reach=[1, 2, 0, 1])
    moves = np.array([asked.moves["input"] for asked in found.again])
    assert moves.shape == (5, 4)
    assert (np.abs(moves) <= 0.1 * np.array([1, 2, 0, 1])).all()
    assert (np.abs(moves).max(axis=0)[[0, 1, 3]] > 0.03).all()
    expected = np.linalg.norm(WEIGHTS * moves, axis=1).max()
    assert found["max_sensitivity"] == pytest.approx(expected)
    assert found["relative"] == pytest.approx(expected / np.sqrt(4 + 1 + 0.25 + 9))


def test_an_attribution_that_stays_is_not_sensitive() -> None:
    found = check(max_sensitivity, WEIGHTS, linear(WEIGHTS), again=lambda asked: Rerun(WEIGHTS))
    assert (found["max_sensitivity"], found["relative"]) == (0.0, 0.0)


def test_randomisation_asks_for_more_and_more_layers() -> None:
    found = check(randomisation, WEIGHTS, linear(WEIGHTS), again=lambda asked: Rerun(-WEIGHTS, ("a",)), params={"runs": 4})
    assert [asked.shuffle.share for asked in found.again] == [0.25, 0.5, 0.75, 1.0]
    assert found["correlations"] == pytest.approx([-1.0] * 4)
    assert judged("randomisation.correlation", found["correlation"], "any")[0] == "pass"


def test_a_map_that_does_not_change_fails() -> None:
    found = check(randomisation, WEIGHTS, linear(WEIGHTS), again=lambda asked: Rerun(WEIGHTS, ("a", "b")))
    assert found["correlation"] == pytest.approx(1.0)
    verdict, reason = judged("randomisation.correlation", found["correlation"], "any")
    assert verdict == "fail"
    assert "shuffled" in str(reason)


def test_a_model_without_weights_says_so() -> None:
    found = check(randomisation, WEIGHTS, linear(WEIGHTS), again=lambda asked: Rerun(np.zeros(0)))
    assert found["correlation"] is None
    assert found.finding.note


def test_stability_compares_other_seeds() -> None:
    """Seeds swap the two largest of four: Spearman 1 - 6 (1 + 1) / (4 (16 - 1)) = 0.8; 2 -> 3 is 1 of the largest, 3."""
    swapped = np.array([3.0, -1.0, 0.5, 2.0])
    found = check(stability, WEIGHTS, linear(WEIGHTS), random=True, again=lambda asked: Rerun(swapped), params={"runs": 3})
    seeds = [asked.seed for asked in found.again]
    assert len(set(seeds)) == 3
    assert None not in seeds
    assert (found["rank_correlation"], found["largest_change"]) == (pytest.approx(0.8), pytest.approx(1 / 3))


def test_stability_of_what_is_not_random_costs_nothing() -> None:
    found = check(stability, WEIGHTS, linear(WEIGHTS))
    assert found.asked == []
    assert (found["rank_correlation"], found["largest_change"]) == (1.0, 0.0)
    assert "every seed" in str(found.finding.note)


def test_rank_correlation_leaves_out_what_is_zero_in_both() -> None:
    one, other = np.array([0.0, 0, 0, 1, 2, 3]), np.array([0.0, 0, 0, 3, 2, 1])
    assert rank_correlation(one, other) == pytest.approx(-1.0)
    assert rank_correlation(one, np.zeros(6)) == 0.0
    assert rank_correlation(np.zeros(6), np.zeros(6)) is None


def test_rounding_has_no_rank() -> None:
    """Forty features that do nothing, but for rounding: what the others say decides."""
    draws = np.random.default_rng(0).normal(size=(2, 40)) * 1e-16
    one, other = (np.concatenate([[5.0, 3.0, 2.0, 1.0], noise]) for noise in draws)
    assert rank_correlation(one, other) == pytest.approx(1.0)
    assert rank_correlation(one, other[[1, 0, *range(2, 44)]]) == pytest.approx(0.8)


def test_correlation_of_a_constant_is_none() -> None:
    assert correlation(np.ones(3), np.arange(3.0)) is None
    assert correlation(np.arange(3.0), 5 - 2 * np.arange(3.0)) == pytest.approx(-1.0)
