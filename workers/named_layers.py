"""The layers that a job's parameters name, looked up in the loaded model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from explainery.contract.catalogue import MethodSpec
from explainery.contract.errors import MethodUnavailable, ResourceExhausted, UnknownLayer
from explainery.contract.layers import AUTO, LayerSpec, chosen
from workers.plugins import Model


def layers_seen(model: Model) -> tuple[LayerSpec, ...] | None:
    """The model's layers; None where it cannot be looked into."""
    try:
        layers: tuple[LayerSpec, ...] = getattr(model, "layers")  # noqa: B009  # not every model has them
    except (AttributeError, MethodUnavailable, MemoryError):  # values may still be had, row by row
        return None
    return layers


def layers_of(method: MethodSpec, model: Model, params: Mapping[str, Any]) -> tuple[LayerSpec, ...]:
    """The layer that `layer` names; all that fit where the method looks at all of them; none where it is null.

    Raises what `explainery.contract.layers.chosen` does, MethodUnavailable where a model cannot be looked into,
    ResourceExhausted.
    """
    asked = params.get("layer", AUTO)
    if method.layer is None or asked is None:
        return ()
    try:
        layers: tuple[LayerSpec, ...] = getattr(model, "layers", ())
    except MemoryError:
        raise ResourceExhausted(
            "Memory ran out while the model's layers were looked for; use a worker with more memory."
        ) from None
    if not layers:
        raise UnknownLayer("No layer of this model could be found; give its card a [sample] that it can be called with.")
    if method.all_layers and asked == AUTO:
        found = tuple(layer for layer in layers if layer.is_a(method.layer))
        return found or (chosen(layers, asked, method.layer),)
    return (chosen(layers, asked, method.layer),)
