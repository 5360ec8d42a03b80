"""The tree of players that lie together: pictures, series and texts cut in halves again and again; columns side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.errors import InvalidParameter
from workers.game import Game, InputView, Partition
from workers.hierarchy import Tree, halves, leaves
from workers.questions import Floats

LOC = "params.hierarchy"


def tree_of(game: Game, asked: Any) -> Tree:
    """The tree that a request asked for, or the one that follows from where the players lie.

    `asked`: nested lists of players by name or number; those left out stand by themselves at the top. None: inputs are
    apart, and within each that has neighbours the players are halved. Raises InvalidParameter.
    """
    if asked is not None:
        return _named(game.partition, asked)
    trees = [_of_input(view, game.partition) for view in game.inputs]
    found = tuple(tree for tree in trees if tree is not None)
    return found[0] if len(found) == 1 else found


def _of_input(view: InputView, partition: Partition) -> Tree | None:
    here = partition.of_input(view.name)
    players = np.arange(here.start, here.stop)
    if not len(players):
        return None
    if len(players) == 1:
        return int(players[0])
    if view.modality == "tabular":
        return tuple(players.tolist())
    return halves(players, _places(view, partition.labels[view.name], players))


def _places(view: InputView, labels: NDArray[np.int64], players: NDArray[np.int64]) -> Floats:
    """The middle of each player, along the axes on which there are neighbours, [players, axes]."""
    axes = {"image": "HW", "series": "T"}.get(view.modality)
    layout = (view.layout or "NT")[1:]
    along = [layout.index(axis) for axis in axes] if axes else list(range(labels.ndim))
    flat = labels.reshape(-1)
    playing = flat >= 0
    numbers = flat[playing] - players[0]
    sizes = np.bincount(numbers, minlength=len(players))
    grids = np.indices(labels.shape)
    sums = [np.bincount(numbers, grids[axis].reshape(-1)[playing], len(players)) for axis in along]
    return np.stack(sums, axis=1) / sizes[:, None]


def _named(partition: Partition, asked: Sequence[Any]) -> Tree:
    names = _numbers(partition)
    tree = tuple(_built(entry, names) for entry in asked)
    found = list(leaves(tree))
    if len(set(found)) != len(found):
        raise _refused("names a feature twice; a feature has one place")
    top = tree + tuple(sorted(set(range(partition.players)) - set(found)))
    return top[0] if len(top) == 1 else top


def _built(entry: Any, names: Mapping[str | int, int]) -> Tree:
    if isinstance(entry, (list, tuple)):
        tree = tuple(_built(each, names) for each in entry)
        return tree[0] if len(tree) == 1 else tree
    if entry not in names:
        raise _refused(f"names a feature that does not play; there are {len(set(names.values()))}, by name or number")
    return names[entry]


def _numbers(partition: Partition) -> dict[str | int, int]:
    """Players by number, and by name where they have one."""
    known: dict[str | int, int] = {number: number for number in range(partition.players)}
    for name, named in partition.names.items():
        start = partition.of_input(name).start
        known |= {each: start + number for number, each in enumerate(named)}
    return known


def _refused(message: str) -> InvalidParameter:
    return InvalidParameter(f"{LOC} {message}.", [{"loc": LOC, "msg": message}])
