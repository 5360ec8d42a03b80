"""A good request becomes the job a worker needs: names of arrays, target, baseline, players."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import numpy as np
import pytest

from explainery.contract.catalogue import Offer
from explainery.contract.errors import RequestRefused
from service.admission import Admitted
from service.features import count_players
from service.rows import ANY
from service.shelf import Shelf

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


def arrays(admitted: Admitted) -> dict[str, Any]:
    return {name: (str(array.dtype), array.tolist()) for name, array in admitted.arrays.items()}


def test_rows_of_a_table_in_every_form_are_the_same(enter: Any) -> None:
    forms = [
        {"instances": [[30, 2.5, 1, 7]]},
        {"instances": [{"row": [30, 2.5, 1, 7]}]},
        {"instances": [{"debt": 7, "age": 30, "income": 2.5, "sex": "m"}]},
        {"instances": [{"row": {"debt": 7, "age": 30, "income": 2.5, "sex": 1}}]},
        {"inputs": [{"name": "row", "datatype": "FP32", "shape": [1, 4], "data": [[30, 2.5, 1, 7]]}]},
    ]
    for form in forms:
        assert arrays(enter(model="loan", **form)) == {"input/row": ("float32", [[30.0, 2.5, 1.0, 7.0]])}


def test_several_inputs_and_open_axes(enter: Any) -> None:
    admitted = enter(model="pair", instances=[{"left": [1, 2], "right": [3, 4, 5]}, {"right": [6, 7, 8], "left": [0, 0]}])
    assert arrays(admitted) == {
        "input/left": ("float32", [[1, 2], [0, 0]]),
        "input/right": ("int64", [[3, 4, 5], [6, 7, 8]]),
    }
    assert admitted.spec.rows == 2


def test_images_travel_encoded(enter: Any) -> None:
    file = {"b64": b64encode(PNG).decode(), "media_type": "image/png"}
    admitted = enter(model="digits", instances=[file, {"input": file}])
    assert admitted.spec.encodings == {"input": "image/png"}
    assert list(admitted.arrays) == ["encoded/input/0", "encoded/input/1"]
    assert admitted.arrays["encoded/input/1"].tobytes() == PNG


def test_the_record_has_everything_but_the_arrays(enter: Any) -> None:
    spec = enter(model="loan@1", instances=[[1, 2, 0, 3]], params={"samples": 10}, seed=3, deadline_s=5).spec
    assert (spec.model.version, spec.model.digest, spec.seed, spec.deadline_s) == ("1", f"sha256:{1:064x}", 3, 5.0)
    assert spec.params == {"samples": 10, "tolerance": 0.01, "features": None}


@pytest.mark.parametrize(
    ("model", "row", "asked", "stored"),
    [
        ("loan", [1, 2, 0, 3], "predicted", "predicted"),
        ("loan", [1, 2, 0, 3], 2, 2),
        ("loan", [1, 2, 0, 3], "high", 2),
        ("house", [0.0] * 40, "predicted", None),
        ("house", [0.0] * 40, None, None),
        ("house", [0.0] * 40, 0, None),
    ],
)
def test_targets(model: str, row: list[float], asked: Any, stored: Any, enter: Any) -> None:
    assert enter(model=model, instances=[row, row], target=asked).spec.target == (stored, stored)


def test_a_target_per_row(enter: Any) -> None:
    assert enter(model="loan", instances=[[1, 2, 0, 3]] * 3, target=["mid", "predicted", 0]).spec.target == (1, "predicted", 0)


@pytest.mark.parametrize(
    ("asked", "stored"),
    [
        ({"tensor": [9, 8, 7, 6]}, {"baseline/row": [[9, 8, 7, 6]]}),
        ({"tensor": {"row": [[9, 8, 7, 6]]}}, {"baseline/row": [[9, 8, 7, 6]]}),
        ({"tensor": {"age": 9, "income": 8, "sex": "m", "debt": 6}}, {"baseline/row": [[9, 8, 1, 6]]}),
        ({"tensor": [[9, 8, 7, 6], [0, 0, 0, 0]]}, {"baseline/row": [[9, 8, 7, 6], [0, 0, 0, 0]]}),
        ({"background": [[1, 1, 1, 1]] * 3}, {"background/row": [[1, 1, 1, 1]] * 3}),
        ({"background": {"row": [[1, 1, 1, 1]] * 3}}, {"background/row": [[1, 1, 1, 1]] * 3}),
        ({"background": [{"age": 1, "income": 2, "sex": "f", "debt": 4}]}, {"background/row": [[1, 2, 0, 4]]}),
    ],
)
def test_baselines_that_travel_as_arrays(asked: Any, stored: dict[str, Any], enter: Any) -> None:
    admitted = enter(model="loan", instances=[[1, 2, 0, 3]] * 2, baseline=asked)
    assert admitted.spec.baseline.kind == next(iter(asked))
    assert {name: array.tolist() for name, array in admitted.arrays.items() if name != "input/row"} == stored
    assert all(array.dtype == np.float32 for array in admitted.arrays.values())


@pytest.mark.parametrize("asked", ["zeros", "mean", "card"])
def test_named_baselines_bring_no_arrays(asked: str, enter: Any) -> None:
    admitted = enter(model="loan", instances=[[1, 2, 0, 3]], baseline=asked)
    assert (admitted.spec.baseline.kind, list(admitted.arrays)) == (asked, ["input/row"])


def test_a_value_is_a_baseline(enter: Any) -> None:
    baseline = enter(model="loan", instances=[[1, 2, 0, 3]], baseline={"value": -2}).spec.baseline
    assert (baseline.kind, baseline.value) == ("value", -2.0)


@pytest.mark.parametrize(
    ("model", "features", "players"),
    [
        ("loan", None, 4),
        ("loan", "elements", 4),
        ("loan", {"groups": {"money": ["income", "debt"]}}, 3),
        ("loan", {"labels": [5, 5, 9, 9]}, 2),
        ("loan", {"labels": {"row": [5, 5, 9, 9]}}, 2),
        ("digits", None, 64),
        ("digits", {"grid": 4}, 16),
        ("digits", {"grid": [2, 8]}, 16),
        ("digits", "elements", 64),
        ("waves", None, 16),
        ("waves", {"window": 5}, 7),
        ("words", None, None),
    ],
)
def test_players_are_counted_as_the_workers_count_them(model: str, features: Any, players: int | None, offer: Offer) -> None:
    card = Shelf(offer).usable(model).card
    shapes = {spec.name: spec.row_shape for spec in card.inputs}
    assert count_players(card, features, shapes) == players


def test_the_workers_make_as_many_players(offer: Offer) -> None:
    """The rules are written on both sides, because the API imports no worker; here they are held together."""
    from workers.features import partition_of
    from workers.registry import discover

    modalities = discover().modalities
    asked: dict[str, list[Any]] = {
        "loan": [None, "elements", {"groups": {"money": ["income", "debt"]}}, {"labels": [5, 5, 9, 9]}, {"grid": 2}],
        "digits": [None, {"grid": 4}, {"grid": [2, 8]}, {"grid": 3}, {"grid": 9}, {"window": 2}],
        "waves": [None, {"window": 5}, {"window": 40}, {"grid": 2}],
        "house": [None, "elements", {"groups": {"g": ["a"]}}],
    }
    for model, forms in asked.items():
        card = Shelf(offer).usable(model).card
        shapes = {spec.name: spec.row_shape for spec in card.inputs}
        for features in forms:
            try:
                made: int | None = partition_of(card, shapes, features, modalities).players
            except RequestRefused:
                made = None
            try:
                counted = count_players(card, features, shapes)
            except RequestRefused:
                counted = None
            assert counted == made, (model, features)


def test_players_of_an_open_shape_are_counted_from_the_rows(enter: Any, offer: Offer) -> None:
    assert enter(model="pair", method="exact_shapley", instances=[{"left": [1, 2], "right": [0] * 14}]).spec.method
    with pytest.raises(RequestRefused, match="at most 16 features, and there are 17"):
        enter(model="pair", method="exact_shapley", instances=[{"left": [1, 2], "right": [0] * 15}])
    assert count_players(Shelf(offer).usable("pair").card, None, {"left": (2,), "right": (ANY,)}) is None


def test_groups_make_an_exact_answer_possible(enter: Any) -> None:
    spec = enter(model="digits", method="auto", instances=[[[[0.5] * 8] * 8]], params={"features": {"grid": 2}}).spec
    assert (spec.method, spec.params) == ("exact_shapley", {"features": {"grid": 2}})
