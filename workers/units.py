"""A unit that a job's parameters name, checked against its layer."""

from __future__ import annotations

from collections.abc import Sequence

from explainery.contract.errors import InvalidParameter
from explainery.contract.layers import LayerSpec
from workers.questions import Unit


def unit_of(layer: LayerSpec, asked: int | Sequence[int]) -> Unit:
    """The unit of an index, or of one per axis; the first axes alone name a channel. Raises InvalidParameter."""
    index = (asked,) if isinstance(asked, int) else tuple(asked)
    if len(index) > len(layer.shape) or any(place >= size for place, size in zip(index, layer.shape, strict=False)):
        shape = list(layer.shape)
        message = f"names no unit of layer {layer.path}, whose output for one row has shape {shape}"
        raise InvalidParameter(f"params.unit {message}.", [{"loc": "params.unit", "msg": message}])
    return Unit(layer.path, index)
