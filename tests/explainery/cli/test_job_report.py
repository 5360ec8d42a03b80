"""What the command line says of methods that answer for the job as a whole."""

from __future__ import annotations

import pytest

from explainery.cli.job_report import print_report
from explainery.contract.result import Cost, ModelUsed, Result

CARD = {
    "title": "t", "format": "stub",
    "inputs": [{
        "name": "input", "datatype": "FP32", "shape": [-1, 2], "modality": "tabular", "features": ["income", "age"],
        "units": ["EUR", "years"],
    }],
    "outputs": [{"name": "p", "datatype": "FP32", "shape": [-1, 2], "kind": "probabilities", "labels": ["no", "yes"]}],
}  # fmt: skip
NO = {"output": "p", "index": 0, "label": "no", "values": [0.75, 0.25]}
YES = {"output": "p", "index": 1, "label": "yes", "values": [0.25, 0.75]}


def told(method: str, report: dict, capsys: pytest.CaptureFixture[str], card: dict | None = None) -> list[str]:
    result = Result(
        id="1", model=ModelUsed(name="credit", version="1", digest="sha256:0", runtime="stub"), method=method, params={},
        seed=0, value_function="baseline", explanations=(), environment={}, report={"text": "In short.", **report},
        cost=Cost(model_evaluations=1, gradient_evaluations=0, seconds=0.1, batch_jobs=1),
    )  # fmt: skip
    print_report(result, CARD if card is None else card)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines() if line.strip()]


def test_each_row_is_told_in_a_sentence(capsys: pytest.CaptureFixture[str]):
    change = {"feature": "income", "from": 900.0, "to": 1200.0}
    found = {"row": 0, "outcome": NO, "counterfactuals": [{"changes": [change], "outcome": YES}]}
    none = {"row": 1, "outcome": NO, "counterfactuals": [], "quality": {"notes": ["None was found."]}}
    lines = told("counterfactual", {"rows": [found, none]}, capsys)
    assert lines == [
        "In short.",
        "row 0: The row is no (0.75); with income 900 → 1200 EUR it would be yes (0.75).",
        "row 1: None was found.",
    ]


def test_rules_are_told_without_units_where_no_card_is_known(capsys: pytest.CaptureFixture[str]):
    rule = [{"feature": "age", "low": 30.0, "high": None, "equals": None}]
    row = {"row": 0, "outcome": YES, "rule": rule, "precision": 0.95, "coverage": 0.5}
    lines = told("anchors", {"rows": [row] * 12, "confidence": 0.9}, capsys, card={})
    assert lines[1].startswith("row 0: With age above 30 the outcome is yes in at least 95.0% of the rows tried")
    assert lines[-1] == "2 more rows; see all with --json or --output"


def test_features_are_told_with_the_most_important_first(capsys: pytest.CaptureFixture[str]):
    features = [{"feature": name, "importance": most, "standard_error": 0.5} for name, most in (("income", 1.0), ("age", 2.0))]
    lines = told("permutation_importance", {"rows": 40, "features": features}, capsys)
    assert [line.split()[0] for line in lines[2:]] == ["age", "income"]


def test_nothing_is_taken_for_a_control_character(capsys: pytest.CaptureFixture[str]):
    findings = [{"kind": "dead\x1b[31m", "text": "Half of it.\x07"}]
    assert "\x1b" not in "".join(told("layer_report", {"findings": findings}, capsys))
