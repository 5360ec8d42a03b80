"""The players of a row: feature groups of every input, numbered through."""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import InvalidParameter, TooManyFeatures
from explainery.contract.feature_groups import follows_content, text_unit
from explainery.contract.model_card import InputSpec, ModelCard
from workers.game import Params, Partition
from workers.plugins import AnyMethod, Groups, ModalityPlugin
from workers.text.reading import Passages
from workers.text.units import Units, cut

Shapes = Mapping[str, tuple[int, ...]]
NO_UNITS: Mapping[str, Units] = {}
MOST_CUTS = 64


class Cuts:
    """The partitions that a model's last jobs have asked for: most ask for the same."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, Partition] = OrderedDict()

    def find(self, key: Hashable, make: Callable[[], Partition]) -> Partition:
        """The partition of this key, made if it is not known."""
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = make()
            while len(self._known) > MOST_CUTS:
                self._known.popitem(last=False)
        return known


def partitions_of(
    method: AnyMethod,
    card: ModelCard,
    rows: Mapping[str, Sequence[NDArray[Any]] | NDArray[Any]],
    params: Params,
    modalities: Mapping[str, ModalityPlugin],
    texts: Passages,
    cuts: Cuts,
) -> list[Partition]:
    """The players of a job's rows: one partition for all, or one for each row where there is a text.

    Raises InvalidParameter when `features` does not fit, TooManyFeatures when the method does not take so many players.
    """
    by_content = follows_content(params.get("features"))
    count = len(next(iter(rows.values()))) if texts or by_content else 1
    made = []
    for row in range(count):
        shapes = {name: array[row].shape for name, array in rows.items()}
        units = {name: cut(card.input(name), of_text[row], params.get("features")) for name, of_text in texts.items()}
        if by_content:
            made.append(_by_content(card, {name: array[row] for name, array in rows.items()}, params["features"], modalities))
        elif units:
            made.append(players_of(method, card, shapes, params, modalities, units))
        else:
            key = (method.SPEC.name, tuple(shapes.items()), json.dumps(params, sort_keys=True))
            made.append(cuts.find(key, partial(players_of, method, card, shapes, params, modalities)))
        _check_number(method, made[-1])
    return made


def _by_content(
    card: ModelCard, row: Mapping[str, NDArray[Any]], features: Any, modalities: Mapping[str, ModalityPlugin]
) -> Partition:
    """The players of a row whose own content decides them. Raises InvalidParameter where a modality has no such cut."""
    cuts: dict[str, Groups] = {}
    for spec in card.sent:
        hook = getattr(modalities[spec.modality], "groups_by_content", None)
        if hook is None:
            raise InvalidParameter(f"Input {spec.name} ({spec.modality}) has no superpixels; they are for images.")
        cuts[spec.name] = hook(spec, row[spec.name], features)
    return _numbered(cuts)


def _numbered(cuts: Mapping[str, Groups]) -> Partition:
    """The groups of every input, numbered through."""
    labels, players = {}, 0
    for name, groups in cuts.items():
        labels[name] = groups.labels + players
        players += int(groups.labels.max()) + 1
    names = {name: groups.names for name, groups in cuts.items() if groups.names is not None}
    return Partition(labels, names, frozenset(name for name, groups in cuts.items() if groups.grouped))


def _check_number(method: AnyMethod, partition: Partition) -> None:
    most = method.SPEC.max_players
    if most is not None and partition.players > most:
        raise TooManyFeatures(
            f"{method.SPEC.name} takes at most {most} features, and a row has {partition.players}; use kernel_shap, or larger "
            "features (sentences)."
        )


def players_of(
    method: AnyMethod,
    card: ModelCard,
    shapes: Shapes,
    params: Params,
    modalities: Mapping[str, ModalityPlugin],
    units: Mapping[str, Units] = NO_UNITS,
) -> Partition:
    """The method's own players where it makes them, else the feature groups that `features` asks for.

    `units`: the cut of each text. Methods see a text as a row of its units; their players become those of its tokens.
    """
    seen = {**shapes, **{name: (len(unit.names),) for name, unit in units.items()}}
    hook = getattr(method, "players", None)
    made: Partition = hook(card.sent, seen, params) if hook else partition_of(card, seen, params.get("features"), modalities)
    return _onto_tokens(made, card, shapes, units) if units else made


def _onto_tokens(made: Partition, card: ModelCard, shapes: Shapes, units: Mapping[str, Units]) -> Partition:
    """Players of a text's units as players of its tokens; what its tokenizer fills never plays."""
    labels = {name: units[name].spread(label) if name in units else label for name, label in made.labels.items()}
    labels |= {spec.name: np.full(shapes[spec.name], -1) for spec in card.inputs if spec.filled}
    return replace(
        made,
        labels=labels,
        names=made.names | {name: unit.names for name, unit in units.items()},
        grouped=made.grouped | units.keys(),
        texts=units,
    )


def partition_of(card: ModelCard, shapes: Shapes, features: Any, modalities: Mapping[str, ModalityPlugin]) -> Partition:
    """Cut every input into groups and number them through. Raises InvalidParameter when `features` does not fit."""
    if text_unit(features) and any(spec.modality == "text" for spec in card.inputs):
        features = None  # said of the texts alone, which are cut already
    return _numbered({spec.name: _groups_of(spec, shapes[spec.name], features, modalities) for spec in card.sent})


def _groups_of(spec: InputSpec, shape: tuple[int, ...], features: Any, modalities: Mapping[str, ModalityPlugin]) -> Groups:
    if spec.modality == "text":  # cut already
        return modalities["text"].groups(spec, shape, None)
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
