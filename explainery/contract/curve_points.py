"""At how many points curves of features are asked for, as far as card and request tell: data may repeat values."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

from explainery.contract.model_card import FLOATS, ModelCard
from explainery.contract.tables import features_of
from explainery.contract.tensors import limits

FORMS = {"FP16": "<e", "FP32": "<f", "FP64": "<d"}


def points_asked(card: ModelCard, params: Mapping[str, Any]) -> tuple[int, int]:
    """The most and the fewest points of all curves of a request together. Raises KeyError for features that are not there."""
    curves = params["of"] or list(features_of(card))
    sizes = [[_values(card, name, params) for name in ([of] if isinstance(of, str) else of)] for of in curves]
    most, fewest = (sum(math.prod(pair[end] for pair in curve) for curve in sizes) for end in (0, 1))
    return most, fewest


def _values(card: ModelCard, name: str, params: Mapping[str, Any]) -> tuple[int, int]:
    """How many values one feature takes, at most and at least."""
    spec, place = features_of(card)[name]
    given = (params["values"] or {}).get(name)
    if given is not None:
        count = len({_held(spec.datatype, float(value)) for value in given})
        return count, count
    labels = spec.categories.get(spec.features[place]) if spec.features else None
    return (len(labels), len(labels)) if labels else (params["grid"], 1)


def _held(datatype: str, value: float) -> float:
    """The nearest that a datatype can hold, as workers round it."""
    low, high = limits(datatype)
    kept = min(max(value if datatype in FLOATS else float(round(value)), low), high)
    return float(struct.unpack(FORMS[datatype], struct.pack(FORMS[datatype], kept))[0]) if datatype in FORMS else kept
