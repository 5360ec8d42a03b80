"""Texts at the door: they travel as bytes, and no tokenizer is asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from explainery.contract.errors import InvalidInput


@pytest.mark.parametrize("model", ["words", "bert"])
def test_strings_travel_as_bytes(model: str, enter: Any) -> None:
    name = {"words": "tokens", "bert": "ids"}[model]
    for rows in (["grün", "two words"], [{name: "grün"}, {name: "two words"}]):
        admitted = enter(model=model, method="kernel_shap", instances=rows)
        assert admitted.spec.encodings == {name: "text/plain"}
        assert {key: array.tobytes().decode() for key, array in admitted.arrays.items()} == {
            f"encoded/{name}/0": "grün",
            f"encoded/{name}/1": "two words",
        }


def test_ids_travel_as_numbers(enter: Any) -> None:
    admitted = enter(model="bert", method="kernel_shap", instances=[[1] * 16])
    assert admitted.spec.encodings == {}
    assert admitted.arrays["input/ids"].dtype == np.int64
    tensor = {"name": "ids", "datatype": "INT64", "shape": [1, 16], "data": [1] * 16}
    assert list(enter(model="bert", method="kernel_shap", inputs=[tensor]).arrays) == ["input/ids"]


@pytest.mark.parametrize("features", [None, "tokens", "words", "sentences", {"text": "sentences"}, "elements"])
def test_how_many_players_a_text_has_is_for_a_worker_to_say(features: Any, enter: Any) -> None:
    params = {} if features is None else {"features": features}
    spec = enter(model="bert", method="exact_shapley", instances=["some text"], params=params).spec
    assert spec.params == {"features": features}


def test_auto_takes_a_method_that_bears_any_number_of_words(enter: Any) -> None:
    assert (
        enter(model="words", method="auto", instances=["some text"], params={"features": "words"}).spec.method == "kernel_shap"
    )


@pytest.mark.parametrize("baseline", ["zeros", "card", {"value": 7}, {"tensor": [7] * 16}, {"background": [[7] * 16]}])
def test_baselines_of_texts_are_ids(baseline: Any, enter: Any) -> None:
    assert enter(model="bert", method="kernel_shap", instances=["some text"], baseline=baseline).spec.rows == 1


def test_half_a_surrogate_pair_is_refused(enter: Any) -> None:
    with pytest.raises(InvalidInput, match=r"instances.1 holds half of a surrogate pair"):
        enter(model="words", method="kernel_shap", instances=["fine", "\ud83c"])
