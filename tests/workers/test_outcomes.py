"""Targets that only the model's answer shows to fit or not: cards may leave open how many columns an output has."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import whole_by_hand as hand

from explainery.contract.errors import InvalidTarget
from workers.methods import anchors, counterfactual, ice, partial_dependence, permutation_importance
from workers.outcomes import column_of

X = np.random.Generator(np.random.Philox(4)).normal(size=(30, 2))
PARAMS: dict[str, dict[str, Any]] = {
    "counterfactual": {"desired": {"range": [0.0, None]}, "samples": 100},
    "anchors": {"samples": 400},
}
METHODS = [anchors, counterfactual, ice, partial_dependence, permutation_importance]


def two_columns(x: np.ndarray) -> np.ndarray:
    return np.stack([x[:, 0], 3 * x[:, 1]], axis=1)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.SPEC.name)
def test_a_target_that_is_not_there_is_named_and_no_crash(method: ModuleType) -> None:
    of, params = hand.card(("a", "b"), columns=2), PARAMS.get(method.SPEC.name, {})
    hand.answer(method, two_columns, of, X, params, target=1)
    with pytest.raises(InvalidTarget, match=r"The target is out of range: .* has 2 columns here"):
        hand.answer(method, two_columns, of, X, params, target=2)


@pytest.mark.parametrize("target", ["predicted", None])
def test_the_importance_of_several_numbers_is_that_of_the_one_that_is_named(target: Any) -> None:
    """It took the first before, and did not say so."""
    of = hand.card(("a", "b"), columns=2)
    assert hand.answer(permutation_importance, two_columns, of, X, {}, target=1).report["ranking"] == ["b", "a"]
    with pytest.raises(InvalidTarget, match="name one of them"):
        hand.answer(permutation_importance, two_columns, of, X, {}, target=target)


@pytest.mark.parametrize(("target", "column"), [("predicted", 1), (0, 0), (1, 1)])
def test_the_column_of_a_target(target: Any, column: int) -> None:
    assert column_of(target, np.array([1.0, 2.0])) == column
    assert column_of(None, np.array([1.0])) == 0
