"""The players of a row: every input's groups numbered through, each input reported as it was asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import repos

from explainery.contract.errors import CardInvalid, InvalidParameter
from explainery.contract.model_card import ModelCard, parse_card
from workers.features import partition_of, players_of
from workers.game import Partition
from workers.local import Local, Order
from workers.registry import discover

REGISTRY = discover()
OUTPUT = repos.output(1)
TABLE = repos.tensor_input(
    "table", [4], modality="tabular", features=["age", "f", "m", "income"], groups={"sex": ["f", "m"]}
)  # fmt: skip
PICTURE = repos.tensor_input("picture", [1, 4, 4], modality="image", layout="NCHW")
NUMBERS = repos.tensor_input("numbers", [2, 3])


def card(*inputs: str) -> ModelCard:
    return parse_card(f'title = "m"\nformat = "stub"\n{"".join(inputs)}{OUTPUT}[stub]\nform = "linear"\n')


def cut(features: Any, *inputs: str) -> Partition:
    made = card(*inputs)
    return partition_of(made, {spec.name: spec.row_shape for spec in made.inputs}, features, REGISTRY.modalities)


def test_players_of_several_inputs_are_numbered_through() -> None:
    made = cut(None, NUMBERS, TABLE, PICTURE)
    assert made.players == 6 + 3 + 16
    assert made.of_input("numbers") == slice(0, 6)
    assert made.of_input("table") == slice(6, 9)
    assert made.of_input("picture") == slice(9, 25)
    assert made.labels["table"].tolist() == [6, 7, 7, 8]
    assert made.sizes.tolist() == [1] * 6 + [1, 2, 1] + [1] * 16


def test_only_grouped_inputs_are_reported_per_player() -> None:
    made = cut(None, NUMBERS, TABLE)
    assert made.grouped == {"table"}
    assert made.names == {"table": ("age", "sex", "income")}


def test_names_stay_with_their_input() -> None:
    made = cut("elements", NUMBERS, TABLE)
    assert made.names == {"table": ("age", "f", "m", "income")}
    assert made.grouped == frozenset()
    assert made.players == 10


def test_elements_of_a_picture() -> None:
    made = cut("elements", PICTURE)
    assert np.array_equal(made.labels["picture"], np.arange(16).reshape(1, 4, 4))


@pytest.mark.parametrize("labels", [[[-5, 7, 7], [0, -5, 1000]], {"numbers": [[-5, 7, 7], [0, -5, 1000]]}])
def test_labels_may_be_numbered_in_any_way(labels: Any) -> None:
    made = cut({"labels": labels}, NUMBERS)
    assert made.labels["numbers"].tolist() == [[0, 2, 2], [1, 0, 3]]
    assert made.players == 4
    assert made.grouped == {"numbers"}
    assert made.names == {}


def test_labels_of_several_inputs() -> None:
    made = cut({"labels": {"numbers": [[1, 1, 1], [2, 2, 2]], "table": [1, 1, 1, 9]}}, NUMBERS, TABLE)
    assert made.labels["numbers"].tolist() == [[0, 0, 0], [1, 1, 1]]
    assert made.labels["table"].tolist() == [2, 2, 2, 3]  # a player lies in one input


@pytest.mark.parametrize(
    "labels",
    [
        [1, 2, 3], [[1, 2, 3]], [[1, 2, 3], [4, 5]], [[1.0, 2, 3], [4, 5, 6]], [[True, False, True]] * 2, [["a", "b", "c"]] * 2,
        [[1, 2, 2**70], [4, 5, 6]], [[None, 1, 1]] * 2, {}, {"other": [[1, 2, 3]] * 2}, {"numbers": None}, "labels",
    ],
)  # fmt: skip
def test_labels_that_do_not_fit_are_refused(labels: Any) -> None:
    with pytest.raises(InvalidParameter, match=r"features.labels for input numbers .*\[2, 3\]\.$"):
        cut({"labels": labels}, NUMBERS)


def test_a_method_may_make_its_own_players() -> None:
    made = card(NUMBERS)
    occlusion = REGISTRY.methods["occlusion"]
    shapes = {"numbers": (2, 3)}
    params = occlusion.SPEC.complete({"window": 1, "stride": 1})
    assert players_of(occlusion, made, shapes, params, REGISTRY.modalities).players == 6
    assert players_of(REGISTRY.methods["saliency"], made, shapes, {}, REGISTRY.modalities).players == 6


def test_groups_are_reported_with_their_names_through_the_engine(tmp_path: Path) -> None:
    """A table of a card with groups beside a tensor: [3] named players, and the tensor element by element."""
    weights = list(range(1, 11))
    repos.add_stub(tmp_path, "m", 0, inputs=NUMBERS + TABLE, weights=weights)
    lab = Local(_settings(tmp_path))
    rows = {"numbers": np.ones((1, 2, 3), np.float32), "table": np.ones((1, 4), np.float32)}
    result, arrays = lab.explain("m", Order("exact_shapley", rows, {}))
    numbers, table = result.explanations[0].attributions
    assert (table.shape, table.features) == ((3,), ("age", "sex", "income"))
    assert (numbers.shape, numbers.features) == ((2, 3), None)
    np.testing.assert_allclose(arrays["attributions.table"][0], [7, 8 + 9, 10])
    np.testing.assert_allclose(arrays["attributions.numbers"][0], [[1, 2, 3], [4, 5, 6]])


def _settings(folder: Path) -> Any:
    import dataclasses

    from explainery.settings import load

    return dataclasses.replace(load({}), models=str(folder), device="cpu", threads=1)


def test_feature_names_need_a_number_of_columns() -> None:
    """Else a row of more columns would get the names of other features."""
    with pytest.raises(CardInvalid, match="how many columns"):
        card(repos.tensor_input("table", [-1], modality="tabular", features=["a", "b"]))


def test_superpixels_follow_each_picture(tmp_path: Path) -> None:
    """Two pictures with edges in other places, explained by groups that follow them; attributions keep the picture's shape."""
    repos.add_stub(
        tmp_path, "m", 64, inputs=repos.tensor_input("input", [1, 8, 8], modality="image", layout="NCHW"), weights=[1.0] * 64
    )
    rows = np.zeros((2, 1, 8, 8), np.float32)
    rows[0, :, :, 4:] = 1.0
    rows[1, :, 4:, :] = 1.0
    order = Order("lime", {"input": rows}, {"features": {"superpixels": 4}})
    _, arrays = Local(_settings(tmp_path)).explain("m", order)
    found = arrays["attributions.input"]
    assert found.shape == rows.shape
    for row, half in ((0, found[0, 0, :, 4:]), (1, found[1, 0, 4:, :])):
        assert np.ptp(half) == pytest.approx(0, abs=1e-6)
        assert half.sum() == pytest.approx(found[row].sum(), abs=1e-5)
        assert half.sum() != 0


def test_superpixels_are_for_pictures() -> None:
    with pytest.raises(InvalidParameter, match="elements"):
        cut({"superpixels": 3}, NUMBERS)
