"""The nodes `TreeEnsembleRegressor`, `TreeEnsembleClassifier` and `TreeEnsemble` (ai.onnx.ml 1 to 5), read as trees."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.forest import Numbers
from workers.questions import Floats
from workers.runtimes.onnx.refusal import Untranslatable
from workers.runtimes.onnx.wood.grown import Grown, Link
from workers.runtimes.onnx.wood.nodes import LEAF, Nodes
from workers.runtimes.onnx.wood.plain import plain_ensemble

CLASSIFIER, REGRESSOR, PLAIN = "TreeEnsembleClassifier", "TreeEnsembleRegressor", "TreeEnsemble"
ENSEMBLES = (REGRESSOR, CLASSIFIER, PLAIN)
LINKS: dict[str, Link] = {"LOGISTIC": "logistic", "SOFTMAX": "softmax"}


def ensemble_of(node: Any) -> Grown:
    """The trees of one node of ENSEMBLES. Raises Untranslatable where its output is neither their sum nor a link of it."""
    given = {attribute.name: _value(attribute) for attribute in node.attribute}
    if node.op_type == PLAIN:
        return plain_ensemble(given)
    return _read(given, node.op_type == CLASSIFIER)


def _value(attribute: Any) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    found = helper.get_attribute_value(attribute)
    if isinstance(found, TensorProto):
        return numpy_helper.to_array(found)
    if isinstance(found, bytes):
        return found.decode()
    return [part.decode() if isinstance(part, bytes) else part for part in found] if isinstance(found, list) else found


def _read(given: dict[str, Any], classifier: bool) -> Grown:
    transform = given.get("post_transform", "NONE")
    if transform not in ("NONE", *LINKS):
        raise Untranslatable(f"the sum of the trees goes through {transform[:40].lower()}: export raw scores to have theirs")
    aggregate = given.get("aggregate_function", "SUM")
    if aggregate not in ("SUM", "AVERAGE"):
        raise Untranslatable(f"the trees are not added: their {aggregate[:40]} is taken")
    kind = "class" if classifier else "target"
    numbers = _Numbers(given["nodes_treeids"], given["nodes_nodeids"])
    nodes = _nodes(given, numbers)
    columns = _columns(given, classifier)
    weights = np.asarray(given.get(f"{kind}_weights_as_tensor", given.get(f"{kind}_weights")), dtype=np.float64)
    values = np.zeros((len(nodes.modes), columns))
    np.add.at(values, (numbers.of(given[f"{kind}_treeids"], given[f"{kind}_nodeids"]), np.array(given[f"{kind}_ids"])), weights)
    base = np.zeros(columns)
    stated = given.get("base_values_as_tensor", given.get("base_values", ()))
    base[: len(stated)] = stated
    roots = np.setdiff1d(np.arange(len(nodes.modes)), np.concatenate([nodes.true, nodes.false]))  # nobody's children
    if aggregate == "AVERAGE":
        values /= len(roots)
    link = None if classifier and columns == 1 else LINKS.get(transform)  # ONNX Runtime applies none to a single class
    if classifier and columns == 2 and set(given["class_ids"]) == {0}:
        values, base, link = _both_classes(values, base, link)
    return Grown(nodes.forest(values, base, roots), link)


def _nodes(given: dict[str, Any], numbers: _Numbers) -> Nodes:
    precision: type[np.floating[Any]] = np.float64 if "nodes_values_as_tensor" in given else np.float32
    thresholds: NDArray[np.floating] = np.asarray(
        given.get("nodes_values_as_tensor", given.get("nodes_values")), dtype=precision
    )
    modes, trees = np.array(given["nodes_modes"]), given["nodes_treeids"]
    true, false = (numbers.of(trees, given[f"nodes_{side}nodeids"], modes != LEAF) for side in ("true", "false"))
    tracks = np.asarray(given.get("nodes_missing_value_tracks_true") or np.zeros(len(modes)), dtype=bool)
    return Nodes(modes, np.array(given["nodes_featureids"]), thresholds, true, false, tracks, {})


def _columns(given: dict[str, Any], classifier: bool) -> int:
    if not classifier:
        return int(given.get("n_targets", 1))
    return len(given.get("classlabels_int64s") or given.get("classlabels_strings") or ())


def _both_classes(values: Floats, base: Floats, link: Link | None) -> tuple[Floats, Floats, Link | None]:
    """Of two classes a file may hold the scores of one: ONNX Runtime gives the other what is left of 1, or of 0.

    Without a function it takes scores for probabilities when no leaf holds less than 0. It applies no softmax to one score.
    """
    one = values.sum(axis=1)  # filed under the first class, and meant for the second
    score = float(base.sum())
    kept = link if link == "logistic" else None
    whole = 1.0 if one.min() >= 0 and kept is None else 0.0
    return np.stack([-one, one], axis=1), np.array([whole - score, score]), kept


class _Numbers:
    """Numbers of nodes, from the tree and the place in it that files give."""

    def __init__(self, trees: list[int], nodes: list[int]) -> None:
        self._known = {pair: number for number, pair in enumerate(zip(trees, nodes, strict=True))}

    def of(self, trees: list[int], nodes: list[int], where: NDArray[np.bool_] | None = None) -> Numbers:
        """The number of each; -1 where none is wanted."""
        wanted = np.ones(len(trees), dtype=bool) if where is None else where
        return np.array(
            [self._known[pair] if want else -1 for pair, want in zip(zip(trees, nodes, strict=True), wanted, strict=True)]
        )
