"""A hierarchy of features checked against the card, as far as the card tells how features are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from explainery.contract.errors import InvalidParameter
from explainery.contract.model_card import ModelCard
from service.faults import fault


def check_tree(card: ModelCard, name: str, tree: Any, features: Any, players: int | None) -> None:
    """Check a parameter of type "tree": every entry is a feature that plays, and has one place. Raises InvalidParameter."""
    if tree is None:
        return
    entries = list(_entries(tree))
    if max(Counter(entries).values()) > 1:
        raise fault(InvalidParameter, f"params.{name}", "names a feature twice; a feature has one place")
    if players is not None and any(isinstance(entry, int) and entry >= players for entry in entries):
        raise fault(InvalidParameter, f"params.{name}", f"has a number that is too large: {players} features play, from 0 on")
    known = _names(card, features)
    unknown = 0 if known is None else sum(isinstance(entry, str) and entry not in known for entry in entries)
    if known is not None and unknown:
        some = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
        raise fault(InvalidParameter, f"params.{name}", f"names {unknown} that do not play; there are: {some or 'none'}")


def _entries(tree: Any) -> Iterator[str | int]:
    for entry in tree:
        if isinstance(entry, list):
            yield from _entries(entry)
        else:
            yield entry


def _names(card: ModelCard, features: Any) -> list[str] | None:
    """What the players of tables are called; None where patches, steps or words play too."""
    if any(spec.modality in ("image", "series", "text") for spec in card.sent):
        return None
    names: list[str] = []
    for spec in card.sent:
        own = spec.groups if features is None else {}
        groups = features["groups"] if isinstance(features, Mapping) and "groups" in features else own
        grouped = {member for members in groups.values() for member in members}
        names += [*groups, *(feature for feature in spec.features or () if feature not in grouped)]
    return names
