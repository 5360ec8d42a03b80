"""Trees of players, and how many coalitions orders pass that keep together what a tree holds together.

A tree is a player's number or a tuple of trees. The count is known at the door: it depends on the nesting alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from explainery.contract.model_card import ModelCard

Tree = int | tuple["Tree", ...]
MOST_COUNTED = 2**40
"""A tree that passes more coalitions than this is never enumerated: they are not counted on."""
UNKNOWN = -1


def coalitions_of(tree: Tree) -> int:
    """How many coalitions consistent orders pass, the empty and the grand one left out."""
    return min(_passed(tree, 1), MOST_COUNTED)


def coalitions_asked(card: ModelCard, params: Mapping[str, Any], players: int) -> int:
    """The same of the tree that a request asks for, or that follows from the inputs; UNKNOWN where only a worker can tell."""
    asked = params.get("hierarchy")
    if asked is not None:
        return coalitions_of(_completed(asked, players))
    if len(card.sent) != 1:
        return UNKNOWN
    (spec,) = card.sent
    if spec.modality == "tabular":
        return coalitions_of(tuple(range(players))) if players > 1 else 0
    return min(_halved(players), MOST_COUNTED)


def _completed(asked: Sequence[Any], players: int) -> Tree:
    """The nesting of a request's tree; features that it leaves out stand by themselves at the top."""
    tree = tuple(_nested(entry) for entry in asked)
    top = tree + (0,) * max(0, players - sum(map(_leaves, tree)))
    return top[0] if len(top) == 1 else top


def _nested(entry: Any) -> Tree:
    if not isinstance(entry, (list, tuple)):
        return 0
    tree = tuple(map(_nested, entry))
    return tree[0] if len(tree) == 1 else tree


def _leaves(tree: Tree) -> int:
    return 1 if isinstance(tree, int) else sum(map(_leaves, tree))


def _passed(tree: Tree, contexts: int) -> int:
    if isinstance(tree, int) or contexts > MOST_COUNTED:
        return 0
    inner = contexts << len(tree) - 1
    return contexts * ((1 << len(tree)) - 2) + sum(_passed(child, inner) for child in tree)


@lru_cache(maxsize=1024)
def _halved(players: int) -> int:
    """Of so many players cut in halves again and again, however they lie."""
    if players < 2:
        return 0
    first = (players + 1) // 2
    return 2 + 2 * (_halved(first) + _halved(players - first))
