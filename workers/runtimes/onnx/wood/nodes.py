"""Nodes and leaves of a file -> a `Forest`: every branch goes left where x <= threshold, or is one of a set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.forest import Forest, Members, Numbers
from workers.questions import Floats
from workers.runtimes.onnx.refusal import Untranslatable

ORDERED = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GT", "BRANCH_GTE")
SETS = ("BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER")
LEAF = "LEAF"


@dataclass(frozen=True, eq=False)
class Nodes:
    """All nodes of a file, numbered through. `true`, `false`: the child on either side, -1 at leaves.

    `sets`: the members of each BRANCH_MEMBER, by node.
    """

    modes: NDArray[np.str_]
    feature: Numbers
    threshold: NDArray[np.floating]
    true: Numbers
    false: Numbers
    lost_true: NDArray[np.bool_]
    sets: dict[int, NDArray[np.floating]]

    def forest(self, values: Floats, base: Floats, roots: Numbers) -> Forest:
        """The forest. `values`: [nodes, columns]. Raises Untranslatable for branches of other kinds, and what is no tree."""
        if unknown := sorted(set(self.modes.tolist()) - {LEAF, *ORDERED, *SETS}):
            raise Untranslatable(f"the trees branch by {', '.join(name[:40] for name in unknown)}")
        inner = self.modes != LEAF
        _check_trees(np.concatenate([self.true[inner], self.false[inner], roots]), len(self.modes))
        turned = np.isin(self.modes, ("BRANCH_GT", "BRANCH_GTE", "BRANCH_NEQ"))
        below = np.isin(self.modes, ("BRANCH_LT", "BRANCH_GTE"))
        lost_true = self.lost_true | (self.modes == "BRANCH_NEQ")  # a missing value is none of them: so ONNX Runtime has it
        down = self.threshold.dtype.type(-np.inf)
        return Forest(
            np.where(inner, self.feature, -1),
            np.where(below, np.nextafter(self.threshold, down), self.threshold),
            np.where(turned, self.false, self.true),
            np.where(turned, self.true, self.false),
            turned ^ lost_true,
            values,
            roots,
            base,
            self._members(),
        )

    def _members(self) -> Members | None:
        nodes = np.flatnonzero(np.isin(self.modes, SETS))
        if not len(nodes):
            return None
        sets = [self.sets.get(int(node), self.threshold[node : node + 1]) for node in nodes]
        table = np.full((len(nodes), max(1, *map(len, sets))), np.nan, dtype=self.threshold.dtype)
        for number, values in enumerate(sets):
            table[number, : len(values)] = values
        return Members(nodes, table)


def _check_trees(reached: Numbers, count: int) -> None:
    """Raise Untranslatable where a node is reached in two ways, or is none of the file's."""
    if len(reached) and not (reached.min() >= 0 and reached.max() < count):
        raise Untranslatable("the trees lead to nodes that are not in the file")
    if len(np.unique(reached)) != len(reached):
        raise Untranslatable("the trees have nodes that two ways lead to")


def sets_of(members: NDArray[np.floating], nodes: Sequence[int]) -> dict[int, NDArray[np.floating]]:
    """The sets of a file, each ended by a NaN, for the nodes in turn. Raises Untranslatable where their numbers differ."""
    ends = np.flatnonzero(np.isnan(members))
    starts = np.concatenate([[0], ends + 1])
    if len(starts) == len(nodes) + 1 and starts[-1] == len(members):
        starts = starts[:-1]  # the last one, too, was ended
    if len(starts) != len(nodes):
        raise Untranslatable("the trees have another number of sets of members than of nodes that ask for one")
    stops = np.concatenate([ends, [len(members)]])[: len(nodes)]
    return {node: members[start:stop] for node, start, stop in zip(nodes, starts.tolist(), stops.tolist(), strict=True)}
