"""Partial dependence and individual curves: closed forms, and what scikit-learn finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import whole_by_hand as hand
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.inspection import partial_dependence as of_sklearn

from explainery.contract.errors import ExplaineryError
from workers import table as tables
from workers.methods import ice, partial_dependence

RNG = np.random.Generator(np.random.Philox(4))
X = RNG.normal(size=(50, 3))
ABC = ("a", "b", "c")


def f(x: np.ndarray) -> np.ndarray:
    return np.asarray(3 * x[:, 0] + x[:, 1] * x[:, 2])


def test_closed_forms() -> None:
    """Mean of 3 v + b c = 3 v + mean(b c); of v c: v mean(c); each row's own: v c + 3 a."""
    answered = hand.answer(partial_dependence, f, hand.card(ABC), X, {"of": ["a", "b"], "grid": 5})
    first, second = answered.report["curves"]
    (grid,) = first["grids"]
    np.testing.assert_allclose(grid, np.quantile(X[:, 0], np.linspace(0.05, 0.95, 5)))
    np.testing.assert_allclose(answered.maps["dependence_0"], [3 * np.array(grid) + (X[:, 1] * X[:, 2]).mean()])
    grid = np.array(second["grids"][0])
    np.testing.assert_allclose(answered.maps["dependence_1"], [grid * X[:, 2].mean() + 3 * X[:, 0].mean()])
    assert first["range"] == pytest.approx(np.ptp(answered.maps["dependence_0"]))
    assert "along a: by" in answered.report["text"]

    lines = hand.answer(ice, f, hand.card(ABC), X, {"of": ["b"], "grid": 5}, target=None)
    np.testing.assert_allclose(lines.maps["ice_0"], grid * X[:, 2:] + 3 * X[:, :1])
    np.testing.assert_allclose(lines.maps["ice_0"].mean(axis=0), answered.maps["dependence_1"][0])
    centred = hand.answer(ice, f, hand.card(ABC), X, {"of": ["b"], "grid": 5, "centred": True})
    np.testing.assert_allclose(centred.maps["ice_0"], (grid - grid[0]) * X[:, 2:], atol=1e-12)
    assert centred.report["curves"][0]["heterogeneity"] == pytest.approx((grid[-1] - grid[0]) * X[:, 2].std())


def test_rows_that_all_have_one_shape() -> None:
    answered = hand.answer(ice, f, hand.card(ABC), X, {"of": ["a"]})
    assert answered.report["curves"][0]["heterogeneity"] == pytest.approx(0.0, abs=1e-12)


def test_a_surface_and_given_values() -> None:
    params = {"of": [["b", "c"]], "values": {"b": [0.0, 2.0], "c": [1.0, -1.0, 1.0]}}
    answered = hand.answer(partial_dependence, f, hand.card(ABC), X, params)
    assert answered.report["curves"][0]["grids"] == [[0.0, 2.0], [-1.0, 1.0]]
    expected = 3 * X[:, 0].mean() + np.array([[0.0, 0.0], [-2.0, 2.0]])
    np.testing.assert_allclose(answered.maps["dependence_0"], [expected])
    assert answered.solution.maps[0].axes == ("output", "value", "value_2")
    assert answered.evaluations == 50 * 4


@pytest.mark.parametrize("of", [[0], [2], [0, 1]])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_same_as_scikit_learns_brute_force(of: list[int], classes: int) -> None:
    y = np.digitize(f(X), np.quantile(f(X), np.linspace(0, 1, classes + 1)[1:-1]))
    model = GradientBoostingClassifier(n_estimators=20, random_state=0).fit(X, y)
    theirs = of_sklearn(model, X, of, grid_resolution=7, method="brute", response_method="predict_proba", kind="both")
    names = [ABC[number] for number in of]
    params = {
        "of": [names] if len(of) > 1 else names,
        "values": {name: grid.tolist() for name, grid in zip(names, theirs["grid_values"], strict=True)},
    }
    card = hand.card(ABC, classes, "probabilities")
    ours = hand.answer(partial_dependence, model.predict_proba, card, X, params).maps["dependence_0"]
    np.testing.assert_allclose(ours[1:] if classes == 2 else ours, theirs["average"], rtol=0, atol=1e-6)
    one = hand.answer(partial_dependence, model.predict_proba, card, X, params, target=1)
    np.testing.assert_allclose(one.maps["dependence_0"], ours[1:2])
    assert one.report["indices"] == [1]
    lines = hand.answer(ice, model.predict_proba, card, X, params, target=1).maps["ice_0"]
    np.testing.assert_allclose(lines, theirs["individual"][0 if classes == 2 else 1], rtol=0, atol=1e-6)


def test_a_row_follows_its_own_predicted_class() -> None:
    def model(x: np.ndarray) -> np.ndarray:
        return np.stack([x[:, 0], -x[:, 0]], axis=1)

    rows = [[1.0, 0, 0], [-1.0, 0, 0]]
    answered = hand.answer(ice, model, hand.card(ABC, 2, "scores"), rows, {"of": ["a"], "values": {"a": [-2.0, 3.0]}})
    assert answered.report["indices"].tolist() == [0, 1]
    np.testing.assert_array_equal(answered.maps["ice_0"], [[-2.0, 3.0], [2.0, -3.0]])


def test_grids() -> None:
    """All values where there are few, each category, quantiles of the background, and what the input's type can hold."""
    rows = np.stack([np.arange(30) % 3, np.arange(30) % 2, np.arange(30) * 7], axis=1).astype(float)
    card = hand.card(ABC, categories={"b": ("no", "yes", "unknown")})
    report = hand.answer(partial_dependence, f, card, rows, {"grid": 4}).report
    grids = [curve["grids"][0] for curve in report["curves"]]
    assert grids[:2] == [[0, 1, 2], [0, 1, 2]]
    assert report["curves"][1]["labels"] == [["no", "yes", "unknown"]]
    whole = hand.card(ABC, datatype="INT64")
    values = hand.answer(partial_dependence, f, whole, rows, {"of": ["c"], "grid": 4}).report["curves"][0]["grids"][0]
    assert values == [float(np.rint(each)) for each in np.quantile(rows[:, 2], np.linspace(0.05, 0.95, 4))]
    report = hand.answer(ice, f, card, rows[:1], {"of": ["c"], "grid": 4}, background=rows).report
    assert len(report["curves"][0]["grids"][0]) == 4


def test_what_does_not_fit_is_refused() -> None:
    for params in ({"of": ["d"]}, {"values": {"d": [1.0]}}):
        with pytest.raises(ExplaineryError, match="names a feature that the model does not have"):
            hand.answer(partial_dependence, f, hand.card(ABC), X, params)
    for of in ([], ["a", ["a"], ["a", "b", "c"]], [["a", "a"]], "a", [1]):
        with pytest.raises(ExplaineryError, match="must be a list of feature names"):
            hand.answer(partial_dependence, f, hand.card(ABC), X, {"of": of})
    many = {name: list(map(float, range(600))) for name in "ab"}
    with pytest.raises(ExplaineryError, match="makes a surface of 360000 points"):
        hand.answer(ice, f, hand.card(ABC), X, {"of": [["a", "b"]], "values": many})


def test_points_are_asked_about_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, so many numbers are in memory at a time; the answer is the same."""
    whole = hand.answer(partial_dependence, f, hand.card(ABC), X)
    assert whole.turns == 1
    monkeypatch.setattr(tables, "MOST_NUMBERS", 1000)
    parts: Any = hand.answer(partial_dependence, f, hand.card(ABC), X)
    assert parts.turns == int(np.ceil(60 / np.ceil(1000 / X.size)))
    np.testing.assert_array_equal(parts.maps["dependence_2"], whole.maps["dependence_2"])
