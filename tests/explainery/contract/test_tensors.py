"""Tensors from JSON: strict types, exact ranges, no NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from explainery.contract.errors import InputNotFinite, InvalidInput
from explainery.contract.tensors import NUMPY_NAMES, limits, pack, tensor_from_json, tensor_from_nested, unpack


@settings(max_examples=50, deadline=None)
@given(arrays(np.float32, array_shapes(max_dims=3), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_flat_and_nested_give_the_array_back(array: Any) -> None:
    for data in (array.reshape(-1).tolist(), array.tolist()):
        np.testing.assert_array_equal(tensor_from_json("FP32", list(array.shape), data, "x"), array)
    np.testing.assert_array_equal(tensor_from_nested("FP32", array.tolist(), "x"), array)
    np.testing.assert_array_equal(unpack(pack({"a": array}))["a"], array)


@pytest.mark.parametrize("datatype", [name for name in NUMPY_NAMES if "INT" in name])
def test_whole_numbers_keep_to_their_range(datatype: str) -> None:
    info = np.iinfo(NUMPY_NAMES[datatype])
    assert limits(datatype) == (info.min, info.max)
    assert tensor_from_nested(datatype, [int(info.min), int(info.max)], "x").tolist() == [info.min, info.max]
    for outside in (int(info.min) - 1, int(info.max) + 1):
        with pytest.raises(InvalidInput, match="outside the range"):
            tensor_from_nested(datatype, [outside], "x")


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64"])
def test_floats_keep_to_their_range(datatype: str) -> None:
    assert limits(datatype)[1] == float(np.finfo(NUMPY_NAMES[datatype]).max)
    for wrong in (float("nan"), float("inf"), float("-inf")):
        with pytest.raises(InputNotFinite):
            tensor_from_nested(datatype, [wrong], "x")


@pytest.mark.parametrize(
    ("datatype", "value"), [("FP32", True), ("FP32", "7"), ("INT64", 1.0), ("INT64", False), ("BOOL", 1), ("BOOL", None)]
)
def test_types_are_strict(datatype: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match="must hold only"):
        tensor_from_nested(datatype, [value], "x")


def test_booleans() -> None:
    assert tensor_from_nested("BOOL", [[True], [False]], "x").tolist() == [[True], [False]]
    assert limits("BOOL") == (0, 1)
