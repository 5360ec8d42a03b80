"""What `auto` chooses."""

from __future__ import annotations

from typing import Any

import pytest

from explainery.contract.auto import AUTO, choose, passed_on
from explainery.contract.catalogue import Availability, MethodSpec, ModelEntry, Param
from explainery.contract.errors import MethodUnavailable
from explainery.contract.model_card import ModelCard

CARD = ModelCard.model_validate(
    {
        "title": "t",
        "format": "stub",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": (-1, 4)}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": (-1, 2)}],
    }
)
FEATURES = Param(name="features", type="features", help="h")
SAMPLES = Param(name="samples", type="integer", default=64, help="h")


def method(name: str, *params: Param, most: int | None = None) -> MethodSpec:
    return MethodSpec(
        name=name, title=name, summary="s", asks=("values",), params=params, completeness=True, reference="r", max_players=most
    )


METHODS = {
    spec.name: spec
    for spec in (
        method("saliency"),
        method("exact_shapley", FEATURES, most=16),
        method("integrated_gradients"),
        method("kernel_shap", SAMPLES, FEATURES),
    )
}


def entry(*working: str) -> ModelEntry:
    methods = {name: Availability(available=name in working) for name in METHODS}
    return ModelEntry(name="m", version=1, digest="sha256:0", runtime="stub", card=CARD, players=4, methods=methods)


@pytest.mark.parametrize(
    ("working", "params", "players", "chosen", "reason"),
    [
        (tuple(METHODS), {}, 10, "exact_shapley", "1024 coalitions"),
        (tuple(METHODS), {}, 11, "integrated_gradients", "gives gradients"),
        (tuple(METHODS), {}, None, "integrated_gradients", "gives gradients"),
        (tuple(METHODS), {"features": {"grid": 2}}, 64, "kernel_shap", "groups were asked for"),
        (("exact_shapley", "kernel_shap"), {}, 11, "kernel_shap", "predictions only"),
        (("saliency",), {}, 4, "saliency", "this one does"),
        (("saliency", "exact_shapley"), {}, 16, "saliency", "this one does"),
        (("exact_shapley",), {}, 16, "exact_shapley", "this one does"),
    ],
)
def test_the_choice_and_its_reason(working: Any, params: Any, players: int | None, chosen: str, reason: str) -> None:
    name, why = choose(entry(*working), METHODS, params, players)
    assert name == chosen
    assert reason in why


@pytest.mark.parametrize(("working", "players"), [((), 4), (("exact_shapley",), 17), (("exact_shapley",), None)])
def test_nothing_that_works_is_refused(working: Any, players: int | None) -> None:
    with pytest.raises(MethodUnavailable):
        choose(entry(*working), METHODS, {}, players)


def test_given_parameters_are_passed_on_where_they_are_known() -> None:
    given = AUTO.complete({"samples": 9, "tolerance": 0.5})
    assert passed_on(METHODS["kernel_shap"], given) == {"samples": 9}
    assert passed_on(METHODS["saliency"], given) == {}
