"""Exact Shapley values of trees: against the definition, against shap, and through the engine from real ONNX files."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import grown
import numpy as np
import onnx
import pytest
import repos
from by_hand import solve
from onnx import TensorProto, helper
from references import shap

from explainery.contract.errors import CheckUnavailable, InvalidParameter, MethodUnavailable
from explainery.contract.job import Baseline, JobRequest
from explainery.settings import load
from service.admission import Terms, admit
from service.shelf import Shelf
from workers.forest import Forest
from workers.local import Local, Order
from workers.methods import exact_shapley
from workers.offering import offer_of

SCORES = {"classes": "probabilities", "three": "probabilities", "scores": "probabilities"}
COLUMNS = {"classes": 2, "three": 3, "scores": 2}


def random_forest(seed: int, features: int, trees: int = 6, depth: int = 5) -> Forest:
    """Trees grown at random, with features met again on the way down."""
    rng = np.random.Generator(np.random.PCG64(seed))
    feature, threshold, left, right, values, roots = [], [], [], [], [], []

    def grow(level: int) -> int:
        me = len(feature)
        for column in (feature, left, right):
            column.append(-1)
        threshold.append(0.0)
        values.append(rng.normal(size=2))
        if level and rng.random() < 0.85:
            feature[me], threshold[me], values[me] = int(rng.integers(features)), float(rng.normal()), np.zeros(2)
            left[me], right[me] = grow(level - 1), grow(level - 1)
        return me

    for _ in range(trees):
        roots.append(grow(depth))
    whole = [np.array(part) for part in (feature, threshold, left, right)]
    return Forest(*whole, rng.random(len(feature)) < 0.5, np.array(values), np.array(roots), np.array([0.5, -1.0]))


def expected(forest: Forest, x: np.ndarray, b: np.ndarray, column: int, players: np.ndarray) -> np.ndarray:
    """The definition, over all coalitions."""
    return solve(exact_shapley, lambda rows: forest.predict(rows)[:, column], x, b, labels=players).phi


@pytest.mark.parametrize("few", [0, 10**9], ids=["walked", "tried"])
@pytest.mark.parametrize("seed", range(6))
def test_the_definition(seed: int, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.forest.FEW", few)
    forest = random_forest(seed, 6)
    rng = np.random.Generator(np.random.PCG64(seed))
    rows, around = rng.normal(size=(2, 7, 6))
    columns = rng.integers(2, size=7)
    found = forest.shapley(rows, around, columns, np.arange(6))
    for pair in range(7):
        want = expected(forest, rows[pair], around[pair], int(columns[pair]), np.arange(6))
        np.testing.assert_allclose(found[pair], want, atol=1e-12)


def test_features_that_move_together() -> None:
    forest, players = random_forest(9, 6, depth=7), np.array([0, 1, 0, 2, 1, 0])
    rng = np.random.Generator(np.random.PCG64(1))
    rows, around = rng.normal(size=(2, 9, 6))
    found = forest.shapley(rows, around, np.zeros(9, dtype=int), players)
    for pair in range(9):
        np.testing.assert_allclose(found[pair], expected(forest, rows[pair], around[pair], 0, players), atol=1e-12)


def test_missing_values_go_where_the_file_says() -> None:
    forest = random_forest(3, 4)
    rows, around = np.array([[np.nan, 1.0, np.nan, -1.0], [0.3, 0.1, 0.2, np.nan]]), np.array([[0.0] * 4, [np.nan, 0, 0, 0]])
    found = forest.shapley(rows, around, np.array([0, 1]), np.arange(4))
    np.testing.assert_allclose(found.sum(axis=1), (forest.predict(rows) - forest.predict(around))[[0, 1], [0, 1]], atol=1e-12)


def test_in_any_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    forest = random_forest(5, 5)
    rows, around = np.random.Generator(np.random.PCG64(2)).normal(size=(2, 30, 5))
    whole = forest.shapley(rows, around, np.zeros(30, dtype=int), np.arange(5))
    monkeypatch.setattr("workers.forest.AT_ONCE", 7 * len(forest.feature))
    np.testing.assert_array_equal(forest.shapley(rows, around, np.zeros(30, dtype=int), np.arange(5)), whole)


def test_a_way_down_that_meets_too_many_players_is_refused() -> None:
    count = 70  # a chain: each node asks for another feature
    feature = np.array([*range(count), *[-1] * (count + 1)])
    left = np.array([*range(count, 2 * count), *[-1] * (count + 1)])
    right = np.array([*range(1, count), 2 * count, *[-1] * (count + 1)])
    forest = Forest(
        feature,
        np.zeros(len(feature)),
        left,
        right,
        np.zeros(len(feature), bool),
        np.ones((len(feature), 1)),
        np.array([0]),
        np.zeros(1),
    )
    with pytest.raises(MethodUnavailable, match="more than 63 features on one way down"):
        forest.shapley(np.ones((1, count)), -np.ones((1, count)), np.array([0]), np.arange(count))


@pytest.fixture(scope="module")
def wood(tmp_path_factory: pytest.TempPathFactory) -> Local:
    folder = tmp_path_factory.mktemp("wood")
    for kind in grown.KINDS:
        features = grown.data(kind)[0].shape[1]
        repos.add_onnx_file(folder, kind, grown.exported(kind), features, COLUMNS.get(kind, 1), SCORES.get(kind, "variable"))
    repos.add_onnx_linear(folder, "linear", np.ones((4, 1)))
    for kind in grown.LINKED:
        columns = len(grown.trained(kind).classes_)
        repos.add_onnx_file(folder, kind, grown.exported(kind), grown.data(kind)[0].shape[1], columns, "probabilities")
    add_stump(folder, "zeros", post_transform="SOFTMAX_ZERO")
    add_stump(folder, "largest", aggregate_function="MAX")
    for mode in ("LEQ", "LT", "GT", "GTE", "EQ", "NEQ"):
        add_stump(folder, f"branch-{mode.lower()}", mode=f"BRANCH_{mode}")
    add_stump(folder, "mean", aggregate_function="AVERAGE")
    return Local(dataclasses.replace(load({}), models=str(folder), device="cpu", threads=1))


def add_stump(folder: Path, name: str, mode: str = "BRANCH_LEQ", **more: Any) -> None:
    """Two trees of one branch each, at 1 and at 2."""
    node = helper.make_node(
        "TreeEnsembleRegressor", ["input"], ["variable"], domain="ai.onnx.ml", n_targets=1,
        nodes_treeids=[0, 0, 0, 1, 1, 1], nodes_nodeids=[0, 1, 2, 0, 1, 2], nodes_featureids=[0, 0, 0, 1, 0, 0],
        nodes_values=[1.0, 0, 0, 2.0, 0, 0], nodes_modes=[mode, "LEAF", "LEAF", mode, "LEAF", "LEAF"],
        nodes_truenodeids=[1, 0, 0, 1, 0, 0], nodes_falsenodeids=[2, 0, 0, 2, 0, 0], nodes_hitrates=[1.0] * 6,
        nodes_missing_value_tracks_true=[0] * 6, target_treeids=[0, 0, 1, 1], target_nodeids=[1, 2, 1, 2],
        target_ids=[0, 0, 0, 0], target_weights=[10.0, 20.0, 1.0, 5.0], **more,
    )  # fmt: skip
    graph = helper.make_graph(
        [node], name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("variable", TensorProto.FLOAT, ["n", 1])],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    repos.add_onnx_file(folder, name, onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9), 2, 1)


def explain(wood: Local, kind: str, rows: np.ndarray, around: np.ndarray, link: str = "output", **more: Any) -> Any:
    """Against one baseline, or averaged over a set."""
    kind_of = "background" if len(around) > 1 else "tensor"
    stored = {f"{'background' if len(around) > 1 else 'baseline'}/input": around}
    order = Order("tree_shap", {"input": rows}, {"link": link}, baseline=Baseline(kind=kind_of), arrays=stored, **more)
    return wood.explain(kind, order)


@pytest.mark.parametrize("kind", grown.KINDS)
@pytest.mark.parametrize("backgrounds", [1, 5])
def test_equals_shaps_tree_explainer(wood: Local, kind: str, backgrounds: int) -> None:
    X, _ = grown.data(kind)
    rows, around = X[:30], X[100 : 100 + backgrounds]
    model = grown.trained(kind)
    explainer = shap.TreeExplainer(model, data=around.astype(float), feature_perturbation="interventional")
    theirs = explainer.shap_values(rows, check_additivity=False)
    theirs = theirs if theirs.ndim == 3 else theirs[:, :, None]
    columns = COLUMNS.get(kind, 1)
    for column in range(columns - theirs.shape[2], columns):
        target = None if columns == 1 else column
        _, arrays = explain(wood, kind, rows, around, target=target)
        want = theirs[:, :, column - (columns - theirs.shape[2])]
        np.testing.assert_allclose(arrays["attributions.input"], want, rtol=0, atol=1e-6 * np.abs(want).max())


def test_the_trees_are_walked_and_the_model_is_called_for_its_frame_alone(wood: Local) -> None:
    X, _ = grown.data("boosting")
    result, _ = explain(wood, "boosting", X[:3], X[9:10])
    assert result.cost.model_evaluations == 3 * 3  # a frame of two, and one way down the trees, per row
    assert all(explanation.quality.completeness_gap < 1e-4 for explanation in result.explanations)


@pytest.mark.parametrize("model", ["branch-leq", "branch-lt", "branch-gt", "branch-gte", "branch-eq", "branch-neq"])
def test_every_way_to_branch(wood: Local, model: str) -> None:
    """At the thresholds themselves; two features that do not meet each have their own tree's change."""
    rows, around = np.array([[1.0, 2.0], [1.5, 1.5], [0.0, 2.0]], np.float32), np.array([[2.0, 2.5]], np.float32)
    _, arrays = explain(wood, model, rows, around)
    branches = {"branch-leq": np.less_equal, "branch-lt": np.less, "branch-gt": np.greater, "branch-gte": np.greater_equal}
    branches |= {"branch-eq": np.equal, "branch-neq": np.not_equal}
    first, second = (
        (np.where(branches[model](points[:, 0], 1.0), 10.0, 20.0) for points in (rows, around)),
        (np.where(branches[model](points[:, 1], 2.0), 1.0, 5.0) for points in (rows, around)),
    )
    want = np.stack([np.subtract(*first), np.subtract(*second)], axis=1)
    np.testing.assert_allclose(arrays["attributions.input"], want, atol=1e-6)


def test_a_mean_of_trees(wood: Local) -> None:
    _, arrays = explain(wood, "mean", np.array([[0.0, 0.0]], np.float32), np.array([[3.0, 3.0]], np.float32))
    np.testing.assert_allclose(arrays["attributions.input"][0], [-5, -2], atol=1e-6)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("linear", "the explained output is not an ensemble of trees: it is made of the input itself"),
        ("zeros", "goes through softmax_zero: export raw scores"),
        ("largest", "the trees are not added: their MAX is taken"),
    ],
)
def test_what_is_no_sum_of_trees_is_refused_in_words(wood: Local, model: str, reason: str) -> None:
    with pytest.raises(MethodUnavailable, match=reason):
        wood.explain(model, Order("tree_shap", {"input": np.ones((1, 4 if model == "linear" else 2), np.float32)}, {}))
    verdict = wood.load(model).model.verdict
    entries = {
        entry.name: entry for entry in offer_of(wood.registry, wood.repository.scan(), wood.settings, lambda _: verdict).models
    }
    assert reason in str(entries[model].methods["tree_shap"].reason)
    assert entries[model].methods["kernel_shap"].available


def margins(kind: str, points: np.ndarray) -> np.ndarray:
    """What the trained model's own trees sum up to, a column per class."""
    found = grown.trained(kind).decision_function(points.astype(np.float64))
    return found if found.ndim == 2 else np.stack([-found, found], axis=1)


def test_behind_a_logistic_function_the_margin_equals_shaps(wood: Local) -> None:
    X, _ = grown.data("logistic")
    rows, around = X[:30], X[100:105]
    explainer = shap.TreeExplainer(
        grown.trained("logistic"), data=around.astype(float), feature_perturbation="interventional", model_output="raw"
    )
    want = explainer.shap_values(rows, check_additivity=False)
    result, arrays = explain(wood, "logistic", rows, around, target=1, link="margin")
    np.testing.assert_allclose(arrays["attributions.input"], want, rtol=0, atol=1e-6 * np.abs(want).max())
    told = result.explanations[0]
    assert told.target.link == "logistic"
    assert told.instance_output == pytest.approx(margins("logistic", rows)[0, 1], rel=1e-5)
    assert told.baseline_output == pytest.approx(margins("logistic", around)[:, 1].mean(), rel=1e-5)
    assert told.quality.completeness_gap < 1e-9
    assert told.quality.notes[0].startswith("Explained is the margin that the trees sum up to")
    _, other = explain(wood, "logistic", rows, around, target=0, link="margin")
    np.testing.assert_allclose(other["attributions.input"], -arrays["attributions.input"], atol=1e-12)


def test_behind_a_softmax_the_margins_equal_the_definition(wood: Local) -> None:
    X, _ = grown.data("softmax")
    rows, around = X[:6], X[50:51]
    classes = grown.trained("softmax").predict_proba(rows).argmax(axis=1)
    for target in (0, 2, "predicted"):
        result, arrays = explain(wood, "softmax", rows, around, target=target, link="margin")
        for number, row in enumerate(rows):
            column = classes[number] if target == "predicted" else target
            x, b = row.astype(float), around[0].astype(float)
            want = solve(exact_shapley, lambda points, c=column: margins("softmax", points)[:, c], x, b).phi
            np.testing.assert_allclose(arrays["attributions.input"][number], want, atol=2e-6 * np.abs(want).max())
            assert (result.explanations[number].target.index, result.explanations[number].target.link) == (column, "softmax")


@pytest.mark.parametrize("kind", grown.LINKED)
def test_behind_a_function_the_output_is_refused_and_the_refusal_says_what_to_ask(wood: Local, kind: str) -> None:
    X, _ = grown.data(kind)
    with pytest.raises(InvalidParameter, match=f'is a {kind} function of the sum of the trees.*ask with "link": "margin"'):
        explain(wood, kind, X[:1], X[1:2], target=1)


def test_where_the_output_is_the_sum_the_margin_is_the_output(wood: Local) -> None:
    X, _ = grown.data("scores")
    one, first = explain(wood, "scores", X[:3], X[9:10], target=1)
    other, second = explain(wood, "scores", X[:3], X[9:10], target=1, link="margin")
    np.testing.assert_array_equal(first["attributions.input"], second["attributions.input"])
    assert [each.target for each in one.explanations] == [each.target for each in other.explanations]
    assert other.explanations[0].target.link is None


def test_the_door_knows_of_the_function(wood: Local) -> None:
    """What would be refused later is refused there, and a check in the output's units too."""
    verdict = wood.load("logistic").model.verdict
    shelf = Shelf(offer_of(wood.registry, wood.repository.scan(), wood.settings, lambda _: verdict))
    assert shelf.models["logistic"][0].methods["tree_shap"].available

    def asked(link: str, *quality: str) -> JobRequest:
        row = grown.data("logistic")[0][0].tolist()
        more = {"params": {"link": link}, "quality": list(quality), "target": 1, "baseline": "zeros"}
        return JobRequest.model_validate({"model": "logistic", "method": "tree_shap", "instances": [row], **more})

    assert admit(asked("margin", "deletion"), shelf, Terms(), job_id="0" * 26).spec.params["link"] == "margin"
    with pytest.raises(InvalidParameter, match='ask with "link": "margin"'):
        admit(asked("output"), shelf, Terms(), job_id="0" * 26)
    with pytest.raises(CheckUnavailable, match="those of the margin are in other units"):
        admit(asked("margin", "infidelity"), shelf, Terms(), job_id="0" * 26)
