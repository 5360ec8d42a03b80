"""Agreement of two explanations: figures worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from explainery.contract.result import Attribution, Explanation, Quality, Target
from service.agreement import _same_target, agreement, correlation, mean, place_of, ranks


def test_ranks_share_their_mean() -> None:
    assert ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [2.5, 0.0, 2.5, 1.0]


def test_rank_correlation_is_scipys() -> None:
    draw = np.random.default_rng(0)
    for _ in range(20):
        a, b = draw.integers(-4, 5, 12).astype(float), draw.integers(-4, 5, 12).astype(float)
        assert correlation(ranks(a), ranks(b)) == pytest.approx(spearmanr(a, b).statistic)


def test_a_flat_answer_has_no_rank_correlation() -> None:
    assert agreement(np.zeros(3), np.array([1.0, 2.0, 3.0]), 2)["rank_correlation"] is None


@pytest.mark.parametrize(
    ("one", "other", "top", "overlap", "signs"),
    [
        ([5.0, -4.0, 1.0, 0.0], [5.0, -4.0, 1.0, 0.0], 2, 1.0, 1.0),
        ([5.0, -4.0, 1.0, 0.0], [-5.0, 0.5, 3.0, 0.0], 2, 0.5, 0.5),
        ([5.0, -4.0], [1.0, 2.0], 5, 1.0, 0.5),
        ([5.0, 4.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 4.0, 5.0], 3, 0.0, 0.2),
        ([0.0, 0.0, 9.0], [0.0, 0.0, 7.0], 2, 1.0, 1.0),
        ([3.0, 1.0, 1.0, 1.0, 1.0], [3.0, 0.5, 0.5, 0.5, 2.0], 2, 0.625, 1.0),
    ],
)
def test_overlap_and_signs(one: list[float], other: list[float], top: int, overlap: float, signs: float) -> None:
    found = agreement(np.array(one), np.array(other), top)
    assert (found["top_overlap"], found["sign_agreement"]) == (overlap, signs)


def test_rounding_is_no_disagreement() -> None:
    """Forty features that do nothing, but for rounding."""
    draws = np.random.default_rng(0).normal(size=(2, 40)) * 1e-16
    one, other = (np.concatenate([[5.0, -3.0], noise]) for noise in draws)
    assert agreement(one, other, 5) == {"rank_correlation": pytest.approx(1.0), "top_overlap": 1.0, "sign_agreement": 1.0}


def test_where_all_is_zero_nothing_is_large() -> None:
    assert agreement(np.zeros(3), np.zeros(3), 2) == {"rank_correlation": None, "top_overlap": None, "sign_agreement": 1.0}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ((1, "cat"), (1, "cat"), True),
        ((1, "cat"), (0, "cat"), True),
        ((1, "cat"), (1, "dog"), False),
        ((1, None), (2, "cat"), False),
    ],
)
def test_targets_are_the_same_by_label_or_number(
    one: tuple[int, str | None], other: tuple[int, str | None], same: bool
) -> None:
    a, b = (Target(output="y", index=index, label=label) for index, label in (one, other))
    assert _same_target(a, b) is same


def test_the_mean_is_of_what_is_known() -> None:
    assert mean([None, 1.0, 2.0]) == 1.5
    assert mean([None]) is None


def test_a_place_has_a_name() -> None:
    quality = Quality(completeness_gap=None, approximation_error=None, standard_error=None, converged=None, verdict="pass")
    row = Explanation(
        target=Target(output="y", index=None),
        instance_output=0.0,
        baseline_output=0.0,
        attributions=(
            Attribution(input="table", shape=(2,), datatype="FP32", features=("age", "debt")),
            Attribution(input="picture", shape=(1, 2, 2), datatype="FP32"),
        ),
        quality=quality,
    )
    assert place_of(row, 1) == {"input": "table", "index": [1], "feature": "debt"}
    assert place_of(row, 4) == {"input": "picture", "index": [0, 1, 0], "feature": None}
