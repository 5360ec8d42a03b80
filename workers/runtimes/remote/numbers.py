"""Numbers that a far side answers as JSON: every one is looked at, because a list that is nearly right is wrong."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import RemoteAnswerInvalid
from explainery.contract.tensors import limits

FLOATS = (int, float)


def read_object(text: bytes) -> dict[str, Any]:
    """The JSON object of an answer. Raises RemoteAnswerInvalid."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise RemoteAnswerInvalid("The far side's answer is not JSON.") from None
    if not isinstance(document, dict):
        raise RemoteAnswerInvalid("The far side's answer is not a JSON object.")
    return document


def elements(data: Any, datatype: str) -> tuple[list[Any], tuple[int, ...]]:
    """The numbers of nested lists, and the shape that the lists have; `()` for a bare number.

    Raises RemoteAnswerInvalid where lists of one level differ, or an element is not of the datatype (`null` never is).
    """
    level, shape = [data], []
    while level and isinstance(level[0], list):
        width = len(level[0])
        if not all(isinstance(part, list) and len(part) == width for part in level):
            raise RemoteAnswerInvalid("The far side's answer is ragged: rows differ in their length.")
        level = [element for part in level for element in part]
        shape.append(width)
    allowed = {bool} if datatype == "BOOL" else set(FLOATS) if datatype.startswith("FP") else {int}
    if not set(map(type, level)) <= allowed:
        raise RemoteAnswerInvalid(f"The far side's answer holds elements that are not {datatype}.")
    return level, tuple(shape)


def array_of(flat: list[Any], shape: tuple[int, ...], datatype: str) -> NDArray[np.float64]:
    """The numbers as float64. NaN and infinity pass: what they mean is settled where outputs of every runtime are looked at."""
    if len(flat) != math.prod(shape):
        raise RemoteAnswerInvalid(
            f"The far side's answer has {len(flat)} elements, its shape {list(shape)} needs another count."
        )
    try:
        array = np.array(flat, dtype=np.float64).reshape(shape)
    except OverflowError:
        raise RemoteAnswerInvalid(f"The far side's answer holds a number outside the range of {datatype}.") from None
    if not datatype.startswith("FP") and array.size:
        low, high = limits(datatype)
        if array.min() < low or array.max() > high:
            raise RemoteAnswerInvalid(f"The far side's answer holds a number outside the range of {datatype}.")
    return array
