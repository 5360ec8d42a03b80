"""Trees of players: which belong together, and the coalitions that orders which keep them together pass.

A tree is a player's number or a tuple of trees. Orders are consistent with it when the players of each of its nodes follow each
other without a gap; every node's children come in any order (Owen, 1977; for more levels Winter, 1989).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import factorial

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from explainery.contract.hierarchies import Tree, coalitions_of
from workers.coalitions import Coalitions, frozen
from workers.questions import Floats

__all__ = ["Enumerated", "Tree", "coalitions_of", "consistent_order", "enumerated", "halves", "leaves"]


def leaves(tree: Tree) -> Iterator[int]:
    """The players under a node, in its order."""
    if isinstance(tree, int):
        yield tree
    else:
        for child in tree:
            yield from leaves(child)


def halves(players: NDArray[np.int64], places: Floats) -> Tree:
    """Cut the players in two along the axis on which they lie farthest apart, and each half again.

    `players`: [n]; `places`: where they lie, [n, axes].
    """
    if len(players) == 1:
        return int(players[0])
    axis = int(np.argmax(places.max(axis=0) - places.min(axis=0)))
    order = np.argsort(places[:, axis], kind="stable")
    middle = (len(order) + 1) // 2
    return tuple(halves(players[part], places[part]) for part in (order[:middle], order[middle:]))


@dataclass(frozen=True, eq=False)
class Enumerated:
    """Every coalition that consistent orders pass, bool [coalitions, players], and their weights in the players' values.

    phi = weights.T @ values + empty * v(nobody) + grand * v(all), with `empty` and `grand` float64 [players].
    """

    coalitions: Coalitions
    weights: Floats
    empty: Floats
    grand: Floats


@lru_cache(maxsize=4)
def enumerated(tree: Tree) -> Enumerated:
    """The exact plan of a tree: each player's value is its mean change over all consistent orders."""
    count = 1 + max(leaves(tree))
    weights: dict[int, Floats] = {}
    for player, before, share in _joinings(tree, 0, 1.0):
        weights.setdefault(before, np.zeros(count))[player] -= share
        weights.setdefault(before | 1 << player, np.zeros(count))[player] += share
    empty, grand = weights.pop(0), weights.pop(2**count - 1)
    table = np.array(list(weights.values())).reshape(-1, count)
    return Enumerated(frozen(_masks(weights, count)), frozen(table), frozen(empty), frozen(grand))


def _masks(numbers: Iterable[int], count: int) -> Coalitions:
    """The bits of each number, [numbers, count]."""
    width = -(-count // 8)
    packed = np.frombuffer(b"".join(number.to_bytes(width, "little") for number in numbers), np.uint8)
    return np.unpackbits(packed.reshape(-1, width), axis=1, count=count, bitorder="little").astype(bool)


def _joinings(tree: Tree, before: int, share: float) -> Iterator[tuple[int, int, float]]:
    """Player, who is there when it joins (as bits), and the share of consistent orders in which that is so."""
    if isinstance(tree, int):
        yield tree, before, share
        return
    members = [sum(1 << player for player in leaves(child)) for child in tree]
    for number, child in enumerate(tree):
        others = members[:number] + members[number + 1 :]
        for size, there in _subsets(others):
            odds = factorial(size) * factorial(len(others) - size) / factorial(len(tree))
            yield from _joinings(child, before | there, share * odds)


def _subsets(members: Iterable[int]) -> list[tuple[int, int]]:
    """Size and union of every subset of disjoint sets of bits."""
    found = [(0, 0)]
    for each in members:
        found += [(size + 1, there | each) for size, there in found]
    return found


def consistent_order(tree: Tree, random: Generator) -> list[int]:
    """An order drawn evenly from the consistent ones."""
    if isinstance(tree, int):
        return [tree]
    return [player for child in random.permutation(len(tree)) for player in consistent_order(tree[child], random)]
