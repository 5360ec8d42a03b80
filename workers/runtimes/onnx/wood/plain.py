"""The operator `TreeEnsemble` (ai.onnx.ml 5): inner nodes and leaves are numbered apart, and modes are numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from workers.forest import Numbers
from workers.runtimes.onnx.refusal import Untranslatable
from workers.runtimes.onnx.wood.grown import Grown
from workers.runtimes.onnx.wood.nodes import LEAF, Nodes, sets_of

MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER")
AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")


def plain_ensemble(given: dict[str, Any]) -> Grown:
    """The trees of one node, from its attributes. Raises Untranslatable where they are not added."""
    aggregate = AGGREGATES[given.get("aggregate_function", 1)]
    if given.get("post_transform", 0):
        raise Untranslatable(
            "TreeEnsemble has a post_transform, which ONNX and ONNX Runtime number differently: give it a node of its own"
        )
    if aggregate not in ("SUM", "AVERAGE"):
        raise Untranslatable(f"the trees are not added: their {aggregate} is taken")
    modes, splits = np.asarray(given["nodes_modes"]).reshape(-1), np.asarray(given["nodes_splits"]).reshape(-1)
    if modes.max(initial=0) >= len(MODES):
        raise Untranslatable("the trees branch in a way that ai.onnx.ml 5 does not know")
    inner = len(modes)
    leaf_of, children = list[Numbers](), list[Numbers]()
    for side in ("true", "false"):
        child, leaf = np.array(given[f"nodes_{side}nodeids"]), np.array(given[f"nodes_{side}leafs"], dtype=bool)
        # each way to a leaf has one of its own: a tree of one leaf has a node both sides of which lead there
        own = inner + len(leaf_of) * inner + np.arange(inner)
        leaf_of.append(np.where(leaf, child, -1))
        children.append(np.where(leaf, own, child))
    leaves = np.concatenate(leaf_of)
    filled = leaves >= 0
    weights, targets = np.asarray(given["leaf_weights"], dtype=np.float64).reshape(-1), np.array(given["leaf_targetids"])
    values = np.zeros((inner + len(leaves), int(given.get("n_targets") or targets.max() + 1)))
    values[inner + np.flatnonzero(filled), targets[leaves[filled]]] = weights[leaves[filled]]
    roots = np.array(given["tree_roots"])
    if aggregate == "AVERAGE":
        values /= len(roots)
    asking = np.flatnonzero(modes == MODES.index("BRANCH_MEMBER")).tolist()
    members = np.asarray(given.get("membership_values", ()), dtype=splits.dtype).reshape(-1)
    more = 2 * inner
    nodes = Nodes(
        np.concatenate([np.array(MODES)[modes], np.full(more, LEAF)]),
        np.concatenate([np.array(given["nodes_featureids"]), np.zeros(more, dtype=np.int64)]),
        np.concatenate([splits, np.zeros(more, dtype=splits.dtype)]),
        np.concatenate([children[0], np.full(more, -1)]),
        np.concatenate([children[1], np.full(more, -1)]),
        np.concatenate([_tracks(given, inner), np.zeros(more, dtype=bool)]),
        sets_of(members, asking) if asking else {},
    )
    return Grown(nodes.forest(values, np.zeros(values.shape[1]), roots))


def _tracks(given: dict[str, Any], count: int) -> Any:
    return np.asarray(given.get("nodes_missing_value_tracks_true") or np.zeros(count), dtype=bool)
