"""Windows that slide over a row of an input, and the places of one: pure sizes, so that API and workers count alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from explainery.contract.errors import InvalidParameter
from explainery.contract.model_card import InputSpec

SHARE = 7
"""The default window is a seventh of each axis: 32 of 224 pixels, in steps of 16."""

Sizes = tuple[int, ...]


def window_and_stride(spec: InputSpec, shape: Sizes, params: Mapping[str, Any]) -> tuple[Sizes, Sizes]:
    """Both as one size per axis of a row. Raises InvalidParameter when they do not fit the input."""
    window = _per_axis(spec, shape, params["window"], "window") or _default_window(spec, shape)
    window = tuple(min(size, length) for size, length in zip(window, shape, strict=True))
    stride = _per_axis(spec, shape, params["stride"], "stride") or tuple(math.ceil(size / 2) for size in window)
    stride = tuple(step if axis in sliding(spec, shape) else min(step, window[axis]) for axis, step in enumerate(stride))
    if any(step > size for step, size in zip(stride, window, strict=True)):
        raise refused("stride", f"must be at most the window, or elements of input {spec.name} are never hidden")
    return window, stride


def windows_in(shape: Sizes, window: Sizes, stride: Sizes) -> int:
    """How many windows there are: they start at multiples of the stride, and the last one is cut off at the edge."""
    sizes = zip(shape, window, stride, strict=True)
    return math.prod(math.ceil((length - width) / step) + 1 for length, width, step in sizes)


def sliding(spec: InputSpec, shape: Sizes) -> Sizes:
    """The axes of a row that the window slides on: height and width, time, or all."""
    if spec.modality == "image":
        return tuple(str(spec.layout).index(axis) - 1 for axis in "HW")
    if spec.modality == "series":
        return (str(spec.layout or "NT").index("T") - 1,)
    return tuple(range(len(shape)))


def places_in(spec: InputSpec, shape: Sizes) -> int:
    """How many places a row has that channels share: pixels, moments, or elements."""
    return math.prod(shape[axis] for axis in sliding(spec, shape))


def refused(name: str, message: str) -> InvalidParameter:
    """A parameter that does not fit the input."""
    return InvalidParameter(f"params.{name} {message}.", [{"loc": f"params.{name}", "msg": message}])


def _per_axis(spec: InputSpec, shape: Sizes, given: Any, name: str) -> Sizes | None:
    """A size per axis of a row: axes that the window does not slide on are covered whole."""
    if given is None:
        return None
    slides = sliding(spec, shape)
    sizes = [given] * len(slides) if isinstance(given, int) else list(given)
    if len(sizes) == len(shape):
        return tuple(sizes)
    if len(sizes) != len(slides):
        raise refused(name, f"needs {len(slides)} or {len(shape)} sizes for input {spec.name}, or one for all")
    placed = dict(zip(slides, sizes, strict=True))
    return tuple(placed.get(axis, length) for axis, length in enumerate(shape))


def _default_window(spec: InputSpec, shape: Sizes) -> Sizes:
    """A seventh of each axis, two at least; words one by one, and a table's columns, where neighbours mean nothing."""
    if spec.modality in ("tabular", "text"):
        return tuple(1 for _ in shape)
    slides = sliding(spec, shape)
    return tuple(max(2, round(length / SHARE)) if axis in slides else length for axis, length in enumerate(shape))
