"""Tree ensembles of ONNX files (`TreeEnsembleRegressor`, `TreeEnsembleClassifier`), read into a `Forest`.

A file is read when the explained output is the ensemble's own, of one input. What was read is compared with ONNX Runtime at
points around the trees' own thresholds before it is used.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.model_card import ModelCard
from workers.draws import generator
from workers.forest import Forest
from workers.runtimes.onnx.refusal import Untranslatable, label
from workers.runtimes.onnx.session import OnnxSession

ENSEMBLES = ("TreeEnsembleRegressor", "TreeEnsembleClassifier")
PASSED = ("Identity", "Cast")
"""What may lie between input, ensemble and output: it changes no number (parity is measured)."""
TRIED = 64
NEAR = 1e-4
"""Largest difference to ONNX Runtime, as a share of the largest output: it adds in single precision."""


def forest_of(card: ModelCard, model: Any) -> Forest:
    """The explained output's trees. Raises Untranslatable, with the reason, when it has none or is more than their sum."""
    if len(card.inputs) != 1 or len(card.inputs[0].shape) != 2:
        raise Untranslatable("trees are read from files with one input, a table")
    made = {name: (node, place) for node in model.graph.node for place, name in enumerate(node.output)}
    node, place = _through(made, card.score_output.name)
    if node is None or node.op_type not in ENSEMBLES:
        what = "of the input itself" if node is None else f"by {label(node.domain, node.op_type)}"
        raise Untranslatable(f"the explained output is not an ensemble of trees: it is made {what}")
    if _through(made, node.input[0])[0] is not None:
        raise Untranslatable("the trees do not read the input itself")
    if node.op_type == ENSEMBLES[1] and place == 0:
        raise Untranslatable("the explained output is the predicted label")
    return ensemble_of(node)


def ensemble_of(node: Any) -> Forest:
    """The trees of one node of ENSEMBLES. Raises Untranslatable where its output is more than their sum."""
    return _read({attribute.name: _value(attribute) for attribute in node.attribute}, node.op_type == ENSEMBLES[1])


def checked(forest: Forest, card: ModelCard, session: OnnxSession) -> Forest:
    """The forest, once it has answered as ONNX Runtime does. Raises Untranslatable where it does not."""
    spec = card.inputs[0]
    points = _points(forest, int(spec.row_shape[0]), np.dtype(forest.threshold.dtype))
    expected = np.asarray(session.forward({spec.name: points}), dtype=np.float64)
    found = forest.predict(points)
    if found.shape != expected.shape or np.abs(found - expected).max() > NEAR * max(1.0, float(np.abs(expected).max())):
        raise Untranslatable("the trees that were read answer otherwise than ONNX Runtime")
    return forest


def _through(made: dict[str, tuple[Any, int]], name: str) -> tuple[Any, int]:
    """The node that makes a tensor, behind what changes no number; None for an input."""
    while name in made and made[name][0].op_type in PASSED:
        name = made[name][0].input[0]
    return made.get(name, (None, 0))


def _value(attribute: Any) -> Any:
    from onnx import helper, numpy_helper

    found = helper.get_attribute_value(attribute)
    if attribute.name.endswith("_as_tensor"):
        return numpy_helper.to_array(found)
    if isinstance(found, bytes):
        return found.decode()
    return [part.decode() if isinstance(part, bytes) else part for part in found] if isinstance(found, list) else found


def _read(given: dict[str, Any], classifier: bool) -> Forest:
    if given.get("post_transform", "NONE") != "NONE":
        transform = given["post_transform"].lower()
        raise Untranslatable(f"the sum of the trees goes through {transform}: export raw scores to have their Shapley values")
    aggregate = given.get("aggregate_function", "SUM")
    if aggregate not in ("SUM", "AVERAGE"):
        raise Untranslatable(f"the trees are not added: their {aggregate} is taken")
    kind = "class" if classifier else "target"
    precision: type[np.floating[Any]] = np.float64 if "nodes_values_as_tensor" in given else np.float32
    thresholds: NDArray[np.floating] = np.asarray(
        given.get("nodes_values_as_tensor", given.get("nodes_values")), dtype=precision
    )
    numbers = _Numbers(given["nodes_treeids"], given["nodes_nodeids"])
    modes = np.array(given["nodes_modes"])
    if unknown := sorted(set(modes) - {"LEAF", *_MODES}):
        raise Untranslatable(f"the trees branch by {', '.join(unknown)}")
    inner = modes != "LEAF"
    left, right, thresholds, lost_left = _as_leq(given, numbers, modes, inner, thresholds)
    columns = _columns(given, classifier)
    weights = np.asarray(given.get(f"{kind}_weights_as_tensor", given.get(f"{kind}_weights")), dtype=np.float64)
    values = np.zeros((len(modes), columns))
    np.add.at(values, (numbers.of(given[f"{kind}_treeids"], given[f"{kind}_nodeids"]), np.array(given[f"{kind}_ids"])), weights)
    base = np.zeros(columns)
    stated = given.get("base_values_as_tensor", given.get("base_values", ()))
    base[: len(stated)] = stated
    roots = numbers.roots(left, right, inner)
    if aggregate == "AVERAGE":
        values /= len(roots)
    values, base = _both_classes(given, values, base) if classifier and columns == 2 else (values, base)
    feature = np.where(inner, np.array(given["nodes_featureids"]), -1)
    return Forest(feature, thresholds, left, right, lost_left, values, roots, base)


_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GT", "BRANCH_GTE")


def _as_leq(
    given: dict[str, Any], numbers: _Numbers, modes: NDArray[Any], inner: NDArray[np.bool_], thresholds: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.floating], NDArray[np.bool_]]:
    """Every branch as "left where x <= threshold": > and >= change sides, < and >= take the next smaller threshold."""
    trees = given["nodes_treeids"]
    true, false = (np.where(inner, numbers.of(trees, given[f"nodes_{side}nodeids"], inner), -1) for side in ("true", "false"))
    turned = np.isin(modes, ("BRANCH_GT", "BRANCH_GTE"))
    below = np.isin(modes, ("BRANCH_LT", "BRANCH_GTE"))
    thresholds = np.where(below, np.nextafter(thresholds, thresholds.dtype.type(-np.inf)), thresholds)
    tracks = np.asarray(given.get("nodes_missing_value_tracks_true") or np.zeros(len(modes)), dtype=bool)
    return np.where(turned, false, true), np.where(turned, true, false), thresholds, turned ^ tracks


def _columns(given: dict[str, Any], classifier: bool) -> int:
    if not classifier:
        return int(given.get("n_targets", 1))
    return len(given.get("classlabels_int64s") or given.get("classlabels_strings") or ())


def _both_classes(
    given: dict[str, Any], values: NDArray[np.float64], base: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of two classes a file may hold the scores of one: ONNX Runtime gives the other what is left of 1, or of 0.

    It takes scores for probabilities when no leaf holds less than 0.
    """
    if len(set(given["class_ids"])) > 1:
        return values, base
    one = values.sum(axis=1)  # whichever class they are filed under
    score = float(base.sum())
    whole = 1.0 if one.min() >= 0 else 0.0
    return np.stack([-one, one], axis=1), np.array([whole - score, score])


class _Numbers:
    """Numbers of nodes, from the tree and the place in it that files give."""

    def __init__(self, trees: list[int], nodes: list[int]) -> None:
        self._known = {pair: number for number, pair in enumerate(zip(trees, nodes, strict=True))}

    def of(self, trees: list[int], nodes: list[int], where: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """The number of each; -1 where none is wanted."""
        wanted = np.ones(len(trees), dtype=bool) if where is None else where
        return np.array(
            [self._known[pair] if want else -1 for pair, want in zip(zip(trees, nodes, strict=True), wanted, strict=True)]
        )

    def roots(self, left: NDArray[np.int64], right: NDArray[np.int64], inner: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The nodes that are nobody's child."""
        children = np.concatenate([left[inner], right[inner]])
        return np.setdiff1d(np.arange(len(left)), children)


def _points(forest: Forest, features: int, precision: np.dtype[Any]) -> NDArray[Any]:
    """Rows whose values lie at the trees' own thresholds, and next to them."""
    random = generator(0, "trees")
    points = random.normal(size=(TRIED, features))
    for feature in range(features):
        own = forest.threshold[forest.feature == feature]
        if len(own):
            points[:, feature] = random.choice(own, TRIED)
    points[TRIED // 2 :] *= 1 + 1e-3 * random.normal(size=(TRIED - TRIED // 2, features))
    return points.astype(precision)
