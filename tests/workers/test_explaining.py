"""One row from its outputs to its explanation: the target, the frame, and attributions in the form that was asked."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import repos

from explainery.contract.errors import InvalidTarget
from explainery.contract.job import Baseline
from explainery.contract.model_card import InputSpec
from explainery.settings import load
from workers.explaining import attribution_of
from workers.game import Partition
from workers.local import Local, Order
from workers.questions import Solution

OUTPUTS = [[1.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]]


@pytest.fixture
def outputs(tmp_path: Path) -> Local:
    """Models of three outputs (the first three elements, weighted) whose cards say more or less about them."""
    four = repos.tensor_input("input", [4], "FP64")
    repos.add_stub(tmp_path, "named", 4, weights=OUTPUTS, columns=3)
    card = (tmp_path / "named" / "1" / "card.toml").read_text()
    labels = 'kind = "scores"\nlabels = ["a", "b", "c"]'
    repos.write(tmp_path, "labelled", card.replace('kind = "scores"', labels))
    args = {"features": 4, "outputs": 3}
    repos.add_torch(tmp_path, "open", "nets:linear", args, four.replace("FP64", "FP32"), repos.output(-1))
    few = repos.output(-1, labels=["a"])
    repos.add_torch(tmp_path, "few-labels", "nets:linear", args, four.replace("FP64", "FP32"), few)
    return Local(dataclasses.replace(load({}), models=str(tmp_path), device="cpu", threads=1, factories=("nets",)))


def explain(lab: Local, model: str, target: Any = "predicted", **more: Any) -> Any:
    row = np.array([[1.0, 1.0, 1.0, 1.0]])
    return lab.explain(model, Order("exact_shapley", {"input": row}, {}, target=target, **more))


def test_the_predicted_output_is_the_largest(outputs: Local) -> None:
    result, arrays = explain(outputs, "labelled")
    explanation = result.explanations[0]
    assert (explanation.target.index, explanation.target.label, explanation.target.output) == (2, "c", "score")
    assert (explanation.instance_output, explanation.baseline_output) == (3.0, 0.0)
    np.testing.assert_allclose(arrays["attributions.input"], [[0, 0, 3, 0]], atol=1e-12)


@pytest.mark.parametrize("target", [0, 1, 2])
def test_the_output_that_was_asked(outputs: Local, target: int) -> None:
    result, arrays = explain(outputs, "named", target)
    assert result.explanations[0].target.index == target
    assert result.explanations[0].target.label is None
    np.testing.assert_allclose(arrays["attributions.input"], [OUTPUTS[target]], atol=1e-12)


@pytest.mark.parametrize("target", [3, -1, 100, None])
def test_a_target_that_only_the_answer_shows_to_be_wrong(outputs: Local, target: Any) -> None:
    """Where the card leaves the columns open, the door cannot tell."""
    with pytest.raises(InvalidTarget, match="3 columns here"):
        explain(outputs, "open", target)


def test_fewer_labels_than_columns(outputs: Local) -> None:
    labels = [explain(outputs, "few-labels", target)[0].explanations[0].target.label for target in (0, 2)]
    assert labels == ["a", None]


def test_the_baseline_output_is_the_mean_over_the_background(outputs: Local) -> None:
    background = np.array([[0.0, 0, 1, 0], [0.0, 0, 3, 0]])
    result, _ = explain(outputs, "named", 2, baseline=Baseline(kind="background"), arrays={"background/input": background})
    assert result.explanations[0].baseline_output == 3 * 2.0
    assert result.value_function == "marginal"


def test_equal_outputs_are_said(outputs: Local) -> None:
    result, arrays = explain(outputs, "named", 2, baseline=Baseline(kind="value", value=1.0))
    assert result.explanations[0].quality.verdict == "warn"
    np.testing.assert_allclose(arrays["attributions.input"], 0, atol=1e-12)


def spec(datatype: str, *row: int) -> InputSpec:
    return InputSpec.model_validate({"name": "input", "datatype": datatype, "shape": (-1, *row)})


LABELS = np.array([[0, 0, 1], [2, 2, 2]])


def test_a_players_value_is_spread_over_its_elements() -> None:
    share = attribution_of(spec("FP64", 2, 3), Partition({"input": LABELS}), Solution(per_player=np.array([1.0, 2.0, 6.0])))
    assert share.tolist() == [[0.5, 0.5, 2.0], [2.0, 2.0, 2.0]]


def test_or_reported_as_it_is_where_groups_were_asked() -> None:
    partition = Partition({"input": LABELS}, grouped=frozenset({"input"}))
    assert attribution_of(spec("FP64", 2, 3), partition, Solution(per_player=np.array([1.0, 2.0, 6.0]))).tolist() == [1, 2, 6]


def test_each_input_takes_its_own_players() -> None:
    partition = Partition({"other": np.array([0, 1]), "input": np.array([2, 3, 3])}, grouped=frozenset({"other"}))
    share = attribution_of(spec("FP64", 3), partition, Solution(per_player=np.array([9.0, 9, 1, 4])))
    assert share.tolist() == [1, 2, 2]


@pytest.mark.parametrize(
    ("datatype", "precision"),
    [("FP16", np.float32), ("FP32", np.float32), ("FP64", np.float64), ("INT64", np.float64), ("BOOL", np.float64)],
)
def test_precision_follows_the_input(datatype: str, precision: type) -> None:
    for solution in (Solution(per_player=np.ones(3)), Solution(per_element={"input": np.ones(3)})):
        assert attribution_of(spec(datatype, 3), Partition({"input": np.arange(3)}), solution).dtype == precision


def test_an_empty_solution_is_a_mistake_of_the_method() -> None:
    with pytest.raises(TypeError):
        attribution_of(spec("FP32", 3), Partition({"input": np.arange(3)}), Solution())


def test_standard_errors_are_spread_like_values(lab: Local) -> None:
    params = {"samples": 12, "tolerance": 0.0, "features": {"labels": [0, 0, 1, 2, 3, 4]}}
    row = {"input": np.ones((1, 6), np.float32)}
    result, arrays = lab.explain("smooth", Order("kernel_shap", row, params))
    explanation = result.explanations[0]
    assert arrays["standard_error.input"].shape == arrays["attributions.input"].shape == (1, 5)
    assert explanation.quality.standard_error == pytest.approx(arrays["standard_error.input"].max(), rel=1e-5)
    assert explanation.attributions[0].shape == (5,)
    assert explanation.attributions[0].features is None


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64", "INT32", "UINT8", "BOOL"])
def test_every_datatype_is_explained(tmp_path: Path, datatype: str) -> None:
    repos.add_stub(tmp_path, "m", 3, inputs=repos.tensor_input("input", [3], datatype), weights=[1.0, 2.0, 4.0])
    lab = Local(dataclasses.replace(load({}), models=str(tmp_path), device="cpu", threads=1))
    result, arrays = lab.explain("m", Order("exact_shapley", {"input": np.array([[1, 0, 1]])}, {}))
    np.testing.assert_allclose(arrays["attributions.input"], [[1, 0, 4]])
    assert result.explanations[0].attributions[0].datatype == ("FP32" if datatype in ("FP16", "FP32") else "FP64")
