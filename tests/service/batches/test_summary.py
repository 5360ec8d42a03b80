"""Sums over explanations: exact where they say so, the same in any order and through any restart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from explainery.contract.result import Attribution, Cost, Explanation, ModelUsed, Quality, Result, Target
from service.batches.summary import MOST_FEATURES, SAMPLE, Summary, sample_size

QUALITY = Quality(completeness_gap=None, approximation_error=None, standard_error=None, converged=None, verdict="pass")


def result(classes: list[int], width: int = 2, features: tuple[str, ...] | None = ("a", "b")) -> Result:
    attribution = Attribution(input="x", shape=(width,), datatype="FP64", features=features)
    return Result(
        id="0" * 26, model=ModelUsed(name="m", version="1", digest="sha256:0", runtime="stub"), method="exact_shapley",
        params={}, seed=0, value_function="baseline", environment={},
        cost=Cost(model_evaluations=1, gradient_evaluations=0, seconds=0.1, batch_jobs=1),
        explanations=tuple(
            Explanation(
                target=Target(output="y", index=each, label=f"c{each}"), instance_output=0.0, baseline_output=0.0,
                attributions=(attribution,), quality=QUALITY,
            )
            for each in classes
        ),
    )  # fmt: skip


def data(rows: int, seed: int = 0) -> tuple[list[int], Any, Any]:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, 2))
    attributions = np.stack([values[:, 0] ** 3, -values[:, 1] + rng.normal(size=rows)], axis=1)
    return rng.integers(0, 2, rows).tolist(), values, attributions


def summed(rows: int, step: int, order: int = 1, restart: bool = False) -> Summary:
    classes, values, attributions = data(rows)
    summary = Summary()
    for begin in list(range(0, rows, step))[::order]:
        cut = slice(begin, begin + step)
        names = [f"r{n}" for n in range(rows)][cut]
        summary.add(result(classes[cut]), {"attributions.x": attributions[cut]}, {"input/x": values[cut]}, names)
        if restart:
            summary = Summary.load(summary.dump())
    return summary


def test_small_batches_are_exact():
    classes, values, attributions = data(400)
    groups = {group["target"]["label"]: group for group in summed(400, 70).document()["groups"]}
    for label, group in groups.items():
        mine = np.array(classes) == int(label[1:])
        assert group["rows"] == group["sampled"] == mine.sum()
        for place, feature in enumerate(group["features"]):
            column = attributions[mine, place]
            assert feature["mean"] == pytest.approx(column.mean())
            assert feature["mean_absolute"] == pytest.approx(np.abs(column).mean())
            assert (feature["min"], feature["max"]) == (column.min(), column.max())
            assert list(feature["quantiles"].values()) == pytest.approx(np.quantile(column, [0.05, 0.25, 0.5, 0.75, 0.95]))
            assert feature["direction"] == pytest.approx(spearmanr(values[mine, place], column).statistic)
        assert [feature["feature"] for feature in group["features"]] == ["a", "b"]
        assert group["features"][0]["direction"] == pytest.approx(1.0)


def test_large_ones_have_exact_counts_and_near_quantiles_and_a_bounded_size():
    rows = 20_000
    classes, values, attributions = data(rows)
    summary = summed(rows, 500)
    assert summary.rows == rows
    for group in summary.document()["groups"]:
        mine = np.array(classes) == group["target"]["index"]
        assert (group["rows"], group["sampled"]) == (mine.sum(), SAMPLE[1])
        for place, feature in enumerate(group["features"]):
            column = attributions[mine, place]
            assert feature["mean"] == pytest.approx(column.mean())
            for share, quantile in feature["quantiles"].items():
                assert abs((column <= quantile).mean() - float(share)) < 0.045  # four times what is expected
            assert feature["direction"] == pytest.approx(spearmanr(values[mine, place], column).statistic, abs=0.09)
    assert len(summary.dump()) < 2**18


def test_order_and_restarts_change_nothing():
    one, other = summed(6000, 250).document(), summed(6000, 250, order=-1, restart=True).document()
    for first, second in zip(one["groups"], other["groups"], strict=True):
        for mine, theirs in zip(first["features"], second["features"], strict=True):
            assert mine["quantiles"] == theirs["quantiles"]
            assert mine["mean"] == pytest.approx(theirs["mean"])
            assert mine["direction"] == pytest.approx(theirs["direction"])


def test_a_direction_needs_values_and_change():
    summary = Summary()
    summary.add(result([0] * 4), {"attributions.x": np.arange(8.0).reshape(4, 2)}, {}, list("abcd"))
    (group,) = summary.document()["groups"]
    assert [feature["direction"] for feature in group["features"]] == [None, None]
    flat = Summary()
    flat.add(result([0] * 4), {"attributions.x": np.arange(8.0).reshape(4, 2)}, {"input/x": np.ones((4, 2))}, list("abcd"))
    assert flat.document()["groups"][0]["features"][0]["direction"] is None


def test_what_is_too_wide_is_counted_and_left_out():
    width = MOST_FEATURES + 1
    summary = Summary()
    summary.add(result([0, 0], width, None), {"attributions.x": np.zeros((2, width))}, {}, ["a", "b"])
    assert summary.document() == {"rows": 2, "left_out": 2, "groups": []}


def test_columns_of_other_names_are_other_columns():
    summary = Summary()
    for number, features in enumerate([("a", "b"), ("b", "a"), ("a", "b")]):
        summary.add(result([0], features=features), {"attributions.x": np.array([[1.0, 2.0]])}, {}, [f"r{number}"])
    groups = summary.document()["groups"]
    assert [(group["rows"], [each["feature"] for each in group["features"]]) for group in groups] == [
        (2, ["a", "b"]), (1, ["b", "a"]),
    ]  # fmt: skip


def test_words_of_one_text_are_not_those_of_another():
    summary = Summary()
    for number, words in enumerate([("good", "film"), ("bad", "book")]):
        found = result([0], features=words)
        (row,) = found.explanations
        (text,) = row.attributions
        text = text.model_copy(update={"offsets": ((0, 4), (5, 9))})
        found = found.model_copy(update={"explanations": (row.model_copy(update={"attributions": (text,)}),)})
        summary.add(found, {"attributions.x": np.array([[1.0, 2.0]])}, {}, [f"r{number}"])
    (group,) = summary.document()["groups"]
    assert (group["rows"], [each["feature"] for each in group["features"]]) == (2, ["0", "1"])


def test_a_report_has_no_rows_to_sum():
    summary = Summary()
    summary.add(result([]), {}, {}, ["a"])
    assert (summary.rows, summary.left_out) == (1, 1)


def test_the_sample_is_smaller_for_wide_tables():
    assert (sample_size(2), sample_size(64), sample_size(512)) == (2048, 512, 64)
