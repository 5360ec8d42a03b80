"""Tables: a feature is a player, and so is a group of columns that the card declares (a one-hot block)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import InputUndecodable, InvalidBaseline, InvalidParameter
from explainery.contract.model_card import InputSpec
from workers.plugins import Groups


def decode(spec: InputSpec, encoded: Sequence[bytes], media_type: str) -> NDArray[Any]:
    """Refuse: a row has no encoded form."""
    raise InputUndecodable(f"Input {spec.name} is a table; send numbers, not {media_type}.")


def groups(spec: InputSpec, shape: tuple[int, ...], features: Mapping[str, Any] | None) -> Groups:
    """The groups asked for, else the card's, else every column a player with its feature's name."""
    if features is None and not spec.groups:
        return Groups(np.arange(shape[0], dtype=np.int64), spec.features)
    if features is not None and "groups" not in features:
        raise InvalidParameter(
            f'Input {spec.name} is a table: features may be "elements", {{"groups": ...}} or {{"labels": ...}}.'
        )
    return _grouped(spec, features["groups"] if features else spec.groups)


def baseline(spec: InputSpec, kind: str, rows: NDArray[Any], sample: NDArray[Any] | None) -> NDArray[np.float64]:
    """The mean over the card's sample rows."""
    if kind != "mean" or sample is None:
        raise InvalidBaseline(f'Input {spec.name} has no "{kind}" baseline: the card names no sample rows to average.')
    return np.asarray(sample.mean(axis=0, keepdims=True, dtype=np.float64))


def _grouped(spec: InputSpec, members: Mapping[str, Sequence[str]]) -> Groups:
    """Columns of one group share a label; groups are numbered by their first column; other columns stand alone."""
    if spec.features is None:
        raise InvalidParameter(f"Input {spec.name} has no feature names in its card, so groups cannot name them; use labels.")
    group_of = {feature: name for name, features in members.items() for feature in features}
    if len(group_of) < sum(len(features) for features in members.values()):
        raise InvalidParameter("features.groups names a feature twice; a feature is in one group at most.")
    unknown = sorted(set(group_of) - set(spec.features))
    if unknown:
        raise InvalidParameter(f"features.groups names {len(unknown)} features that input {spec.name} does not have.")
    numbers: dict[tuple[str, bool], int] = {}  # a group may have the name of a feature outside it
    players = [(group_of.get(feature, feature), feature in group_of) for feature in spec.features]
    labels = [numbers.setdefault(player, len(numbers)) for player in players]
    return Groups(np.array(labels, dtype=np.int64), tuple(name for name, _ in numbers), grouped=True)
