"""What is explained: rows in the card's datatypes, and every kind of baseline."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import repos
from numpy.typing import NDArray
from PIL import Image

from explainery.contract.errors import InputUndecodable, InvalidBaseline
from explainery.contract.job import Baseline, JobSpec, ModelRef
from explainery.contract.model_card import parse_card
from workers.inputs import backgrounds_of, decode_rows
from workers.loaded import Loaded
from workers.registry import discover

MODALITIES = discover().modalities
FOUR = repos.tensor_input("input", [4])
ROWS = np.arange(8, dtype=np.float32).reshape(2, 4)


def loaded(inputs: str = FOUR, sample: Any = None, baseline: Any = None) -> Loaded:
    card = parse_card(f'title = "m"\nformat = "stub"\n{inputs}{repos.output(1)}[stub]\nform = "linear"\n')
    model: Any = None  # nothing here asks it
    return Loaded(REF, card, "stub", model, sample or {}, baseline or {})


REF = ModelRef(name="m", version="1", digest="sha256:0")


def job(kind: Any = "zeros", rows: int = 2, value: float | None = None, **more: Any) -> JobSpec:
    return JobSpec(
        id="1", model=REF, method="saliency", method_requested="saliency", params={}, rows=rows, target=(None,) * rows,
        baseline=Baseline(kind=kind, value=value), seed=0, **more,
    )  # fmt: skip


def baselines(
    spec: JobSpec, model: Loaded | None = None, rows: NDArray[Any] = ROWS, arrays: dict[str, Any] | None = None
) -> NDArray[Any]:
    return backgrounds_of(spec, model or loaded(), {"input": rows}, arrays or {}, MODALITIES)["input"]


def typed(datatype: str, shape: tuple[int, ...] = (4,)) -> Loaded:
    return loaded(repos.tensor_input("input", shape, datatype))


def test_rows_come_in_the_cards_datatype() -> None:
    rows = decode_rows(job(), typed("FP16"), {"input/input": ROWS.astype(np.float64)}, MODALITIES)
    assert rows["input"].dtype == np.float16
    assert rows["input"].tolist() == ROWS.tolist()


def test_encoded_rows_are_decoded_by_their_modality() -> None:
    out = io.BytesIO()
    Image.fromarray(np.full((4, 4), 51, np.uint8)).save(out, "PNG")
    file = np.frombuffer(out.getvalue(), np.uint8)
    model = loaded(repos.tensor_input("input", [4, 4], modality="image", layout="NHW"))
    arrays = {"encoded/input/0": file, "encoded/input/1": file}
    rows = decode_rows(job(encodings={"input": "image/png"}), model, arrays, MODALITIES)
    np.testing.assert_allclose(rows["input"], np.full((2, 4, 4), 0.2), atol=1e-6)
    with pytest.raises(InputUndecodable):
        decode_rows(job(encodings={"input": "image/png"}), loaded(), arrays, MODALITIES)


def test_zeros() -> None:
    assert np.array_equal(baselines(job("zeros")), np.zeros((1, 1, 4)))


def test_a_number_for_all() -> None:
    assert np.array_equal(baselines(job("value", value=2.5)), np.full((1, 1, 4), 2.5, np.float32))


@pytest.mark.parametrize("given", [1, 2])
def test_a_tensor_for_all_rows_or_one_for_each(given: int) -> None:
    tensor = np.arange(4.0 * given).reshape(given, 4)
    made = baselines(job("tensor"), arrays={"baseline/input": tensor})
    assert made.shape == (given, 1, 4)
    assert np.array_equal(made[:, 0], tensor)


def test_a_background_is_shared_by_all_rows() -> None:
    background = np.arange(12.0).reshape(3, 4)
    made = baselines(job("background"), arrays={"background/input": background})
    assert made.shape == (1, 3, 4)
    assert np.array_equal(made[0], background)


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        (None, [0, 0, 0, 0]),
        (np.asarray(3.0), [3, 3, 3, 3]),
        (np.array([1.0, 2, 3, 4]), [1, 2, 3, 4]),
        (np.array([7.0]), [7] * 4),
    ],
)
def test_the_cards_own(card: Any, expected: list[float]) -> None:
    model = loaded(baseline={} if card is None else {"input": card})
    assert baselines(job("card"), model).tolist() == [[expected]]


def test_the_mean_of_the_sample_rows() -> None:
    sample = np.array([[0.0, 1, 2, 3], [2.0, 3, 4, 5]])
    assert baselines(job("mean"), loaded(sample={"input": sample})).tolist() == [[[1, 2, 3, 4]]]
    with pytest.raises(InvalidBaseline, match="no sample rows"):
        baselines(job("mean"))


def test_mean_and_blur_of_pictures_are_each_rows_own() -> None:
    model = loaded(repos.tensor_input("input", [2, 2], modality="image", layout="NHW"))
    made = baselines(job("mean"), model, ROWS.reshape(2, 2, 2))
    assert made.tolist() == [[[[1.5, 1.5], [1.5, 1.5]]], [[[5.5, 5.5], [5.5, 5.5]]]]
    assert baselines(job("blur"), model, ROWS.reshape(2, 2, 2)).shape == (2, 1, 2, 2)


def test_whole_numbers_are_rounded_and_not_cut_off() -> None:
    sample = {"input": np.array([[0, 1, 255, 3], [3, 2, 254, 3]])}
    model = Loaded(REF, typed("UINT8").card, "stub", typed("UINT8").model, sample, {})
    assert baselines(job("mean"), model, ROWS.astype(np.uint8)).tolist() == [[[2, 2, 254, 3]]]
    truths = {"input": np.array([[True, False, True, False], [True, False, False, False], [True, False, False, True]])}
    model = Loaded(REF, typed("BOOL").card, "stub", typed("BOOL").model, truths, {})
    assert baselines(job("mean"), model, ROWS.astype(bool)).tolist() == [[[True, False, False, False]]]


@pytest.mark.parametrize(
    ("datatype", "value"), [("UINT8", 256.0), ("UINT8", -1.0), ("BOOL", 2.0), ("INT8", 128.0), ("FP16", 1e6), ("FP32", 1e39)]
)
def test_a_number_that_the_datatype_cannot_hold_is_refused(datatype: str, value: float) -> None:
    """It would become another number, silently."""
    with pytest.raises(InvalidBaseline, match=f"that {datatype} can hold"):
        baselines(job("value", value=value), typed(datatype), ROWS)


def test_whole_numbers_beyond_doubles_stay_exact() -> None:
    big = np.array([[2**62 + 1, 0, 0, 0]])
    assert baselines(job("tensor"), typed("INT64"), ROWS, {"baseline/input": big})[0, 0, 0] == 2**62 + 1


OPEN = repos.tensor_input("input", [-1, -1])


@pytest.mark.parametrize(
    ("kind", "name", "shape"),
    [
        ("tensor", "baseline/input", (1, 3, 2)), ("tensor", "baseline/input", (1, 6)), ("tensor", "baseline/input", (2, 4, 3)),
        ("tensor", "baseline/input", (3, 2, 3)), ("background", "background/input", (5, 3, 2)),
        ("background", "background/input", (0, 2, 3)),
    ],
)  # fmt: skip
def test_arrays_of_another_shape_are_refused_where_the_card_leaves_it_open(
    kind: str, name: str, shape: tuple[int, ...]
) -> None:
    """The right number of elements in another shape is still another shape."""
    rows = np.zeros((2, 2, 3), np.float32)
    with pytest.raises(InvalidBaseline):
        baselines(job(kind), loaded(OPEN), rows, {name: np.zeros(shape)})


def test_a_card_or_sample_that_fits_other_rows_only_is_refused() -> None:
    rows = np.zeros((2, 2, 3), np.float32)
    with pytest.raises(InvalidBaseline, match=r"\[2, 3\]"):
        baselines(job("card"), loaded(OPEN, baseline={"input": np.zeros((5, 4))}), rows)
    with pytest.raises(InvalidBaseline, match=r"\[2, 3\]"):
        baselines(job("mean"), loaded(OPEN, sample={"input": np.zeros((7, 5, 4))}), rows)


def test_a_baseline_that_is_not_finite_is_refused() -> None:
    with pytest.raises(InvalidBaseline):
        baselines(job("tensor"), arrays={"baseline/input": np.array([[np.nan, 0, 0, 0]])})
