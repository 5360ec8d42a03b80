"""Where gradients of a text are taken: the layer that turns its ids into vectors, as the card names it or as it is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import MethodUnavailable
from explainery.contract.layers import LayerSpec
from explainery.contract.model_card import ModelCard
from explainery.contract.tensors import NUMPY_NAMES
from workers.inside.rows import rows_of
from workers.plugins import Inside, Model
from workers.questions import Probe

TYPES = ("Embedding", "Gather")
"""What looks vectors up: in torch, in ONNX."""

Arrays = Mapping[str, NDArray[Any]]


def embedding_of(model: Model, card: ModelCard, sample: Arrays, vocabulary: int) -> str:
    """The layer by name. Raises MethodUnavailable, saying why there is none."""
    (text, *others) = [spec for spec in card.inputs if spec.modality == "text"]
    if others:
        raise MethodUnavailable(f"it has several texts ({text.name}, {others[0].name}), and gradients are taken at one")
    if not hasattr(model, "internals"):
        raise MethodUnavailable("it cannot be looked into, and ids have no gradient but at their embedding")
    inside = cast(Inside, model)
    layers = {layer.path: layer for layer in inside.layers}
    if text.embedding is not None:
        if text.embedding not in layers:
            near = get_close_matches(text.embedding, layers, 3)
            hint = f"; there is {', '.join(near)}" if near else ""
            raise MethodUnavailable(f"its card names the embedding {text.embedding}, and it has no such layer{hint}")
        return text.embedding
    candidates = [layer for layer in layers.values() if layer.type in TYPES and layer.shape]
    found = _fed_by_ids(model, inside, card, sample, candidates, vocabulary) if candidates else []
    if len(found) != 1:
        which = f"one of {', '.join(found)}" if found else "none was found"
        raise MethodUnavailable(f"its card must say which layer turns the ids of {text.name} into vectors (embedding): {which}")
    return found[0]


def _fed_by_ids(
    model: Model, inside: Inside, card: ModelCard, sample: Arrays, candidates: Sequence[LayerSpec], vocabulary: int
) -> list[str]:
    """Those whose output has a vector for each token, and another one where the ids are others."""
    text = next(spec for spec in card.inputs if spec.modality == "text")
    probe = Probe(layers=tuple(layer.path for layer in candidates), activations=True)
    for rows in rows_of(card, sample, 1):
        twice = {spec.name: np.repeat(rows[spec.name], 2, axis=0).astype(NUMPY_NAMES[spec.datatype]) for spec in card.inputs}
        twice[text.name][1] = (twice[text.name][1] + 1) % vocabulary
        try:
            seen = inside.internals({name: model.place(array) for name, array in twice.items()}, np.zeros(2, np.int64), probe)
        except MemoryError:
            raise
        except Exception:  # noqa: S112  # rows of a length that the model does not take: the next length
            continue
        shown = {name: model.fetch(tensor) for name, tensor in seen.activations.items()}
        tokens = twice[text.name].shape[1]
        return [name for name, array in shown.items() if array.shape[1] == tokens and (array[0] != array[1]).any()]
    return []
