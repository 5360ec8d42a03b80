"""The players of a row: feature groups of every input, numbered through."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import InvalidParameter
from explainery.contract.model_card import InputSpec, ModelCard
from workers.game import Params, Partition
from workers.plugins import AnyMethod, Groups, ModalityPlugin

Shapes = Mapping[str, tuple[int, ...]]


def players_of(
    method: AnyMethod, card: ModelCard, shapes: Shapes, params: Params, modalities: Mapping[str, ModalityPlugin]
) -> Partition:
    """The method's own players where it makes them, else the feature groups that `features` asks for."""
    hook = getattr(method, "players", None)
    if hook is not None:
        partition: Partition = hook(card.inputs, shapes, params)
        return partition
    return partition_of(card, shapes, params.get("features"), modalities)


def partition_of(card: ModelCard, shapes: Shapes, features: Any, modalities: Mapping[str, ModalityPlugin]) -> Partition:
    """Cut every input into groups and number them through. Raises InvalidParameter when `features` does not fit."""
    labels: dict[str, NDArray[np.int64]] = {}
    cuts = {spec.name: _groups_of(spec, shapes[spec.name], features, modalities) for spec in card.inputs}
    players = 0
    for name, groups in cuts.items():
        labels[name] = groups.labels + players
        players += int(groups.labels.max()) + 1
    names = {name: groups.names for name, groups in cuts.items() if groups.names is not None}
    return Partition(labels, names, frozenset(name for name, groups in cuts.items() if groups.grouped))


def _groups_of(spec: InputSpec, shape: tuple[int, ...], features: Any, modalities: Mapping[str, ModalityPlugin]) -> Groups:
    if features == "elements":
        named = spec.features if spec.modality == "tabular" else None
        return Groups(np.arange(math.prod(shape), dtype=np.int64).reshape(shape), named)
    if features is not None and "labels" in features:
        return _labelled(spec, shape, features["labels"])
    return modalities[spec.modality].groups(spec, shape, features)


def _labelled(spec: InputSpec, shape: tuple[int, ...], labels: Any) -> Groups:
    """Groups by a label per element, in any numbering."""
    of_input = labels.get(spec.name) if isinstance(labels, Mapping) else labels
    try:
        given = np.array(of_input)
    except ValueError:
        given = np.array(None)
    if given.shape != shape or given.dtype.kind != "i":
        raise InvalidParameter(
            f"features.labels for input {spec.name} must be whole numbers shaped like one row: {list(shape)}."
        )
    _, dense = np.unique(given, return_inverse=True)
    return Groups(dense.reshape(shape).astype(np.int64), None, grouped=True)
