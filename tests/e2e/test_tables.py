"""Methods of tables over HTTP: counterfactuals within limits, rules, curves, and what is refused at the door."""

from __future__ import annotations

from typing import Any

import numpy as np
from stacks import Stack

RNG = np.random.Generator(np.random.Philox(2))
DATA = np.column_stack(
    [RNG.uniform(20, 70, 40), *np.eye(2)[:, RNG.integers(0, 2, 40)], RNG.uniform(10, 90, 40)]
).round(1)  # fmt: skip


def table(stack: Stack, method: str, **more: Any) -> Any:
    rows = more.pop("rows", DATA[:3].tolist())
    return stack.result(stack.submit("table", method, rows, target=None, **more))


def test_a_counterfactual_within_limits_and_confirmed_by_a_prediction(stack: Stack) -> None:
    values = np.array(table(stack, "predict")["maps"][0]["data"])
    goal = float(values.max() + 1)
    limits = {"immutable": ["age"], "one_hot": ["sex"]}
    params = {"desired": {"range": [goal, None]}, "count": 1, "actionability": limits}
    result = table(stack, "counterfactual", params=params, baseline={"background": DATA.tolist()})
    assert result["params"]["actionability"] == limits
    assert result["report"]["data"] == {"of": "background", "rows": 40}
    found = {row["row"]: row["counterfactuals"][0] for row in result["report"]["rows"] if row["counterfactuals"]}
    assert found, result["report"]["text"]
    points = [one["inputs"]["input"] for one in found.values()]
    again = table(stack, "predict", rows=points)["maps"][0]["data"]
    np.testing.assert_allclose(again, [one["outcome"]["values"][0] for one in found.values()], rtol=1e-6)
    assert min(again) >= goal
    for row, one in found.items():
        assert one["inputs"]["input"][0] == np.float32(DATA[row, 0])
        assert "age" not in {change["feature"] for change in one["changes"]}
        assert sorted(one["inputs"]["input"][1:3]) == [0.0, 1.0]


def test_rules_curves_and_importance(stack: Stack) -> None:
    rows = DATA.tolist()
    report = table(stack, "anchors", rows=rows, params={"samples": 3000, "precision": 0.8})["report"]
    assert len(report["rows"]) == 40
    assert report["data"]["of"] == "rows"
    curves = table(stack, "partial_dependence", rows=rows, params={"of": ["income", ["age", "income"]], "grid": 4})
    assert [each["shape"] for each in curves["maps"]] == [[1, 4], [1, 4, 4]]
    lines = table(stack, "ice", rows=rows, params={"of": ["income"], "grid": 4})
    np.testing.assert_allclose(np.reshape(lines["maps"][0]["data"], (40, 4)).mean(axis=0), curves["maps"][0]["data"], rtol=1e-5)
    found = table(stack, "permutation_importance", rows=rows, params={"truth": [0.0] * 40, "repeats": 3})["report"]
    assert [each["feature"] for each in found["features"]] == ["age", "sex", "income"]
    assert found["against"] == "truth"


def test_what_is_refused_at_the_door(stack: Stack) -> None:
    def refused(**body: Any) -> tuple[int, str, str]:
        answer = stack.post({"model": "table", "target": None, "instances": DATA[:3].tolist(), **body})
        problem = answer.json()
        return answer.status_code, problem["code"], problem["errors"][0]["loc"]

    picture = stack.post({"model": "cnn", "method": "counterfactual", "instances": np.zeros((1, 1, 8, 8)).tolist()})
    assert (picture.status_code, picture.json()["code"]) == (422, "method_unavailable")
    assert "of modality image" in picture.json()["detail"]
    assert stack.http.get("/v1/models/cnn").json()["versions"][0]["methods"]["ice"]["available"] is False
    for method, params, place in (
        ("counterfactual", {}, "params.desired"),
        ("counterfactual", {"desired": "granted"}, "params.desired"),
        ("counterfactual", {"desired": {"range": [1, None]}, "actionability": {"immutable": ["shoe"]}}, "params.actionability"),
        ("ice", {"of": ["shoe"]}, "params.of"),
        ("partial_dependence", {"values": {"shoe": [1.0]}}, "params.values"),
        ("permutation_importance", {"truth": [1.0]}, "params.truth"),
    ):
        assert refused(method=method, params=params) == (422, "invalid_parameter", place)
