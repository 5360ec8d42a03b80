"""Counterfactuals on models whose nearest ones are known, within every kind of limit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import whole_by_hand as hand

from explainery.contract.errors import ExplaineryError
from workers.methods import counterfactual as method

RNG = np.random.Generator(np.random.Philox(5))
DATA = RNG.normal(size=(300, 3))
ABC = ("a", "b", "c")
SD = [np.subtract(*np.quantile(DATA[:, k], (0.75, 0.25))) / 1.349 for k in range(3)]


def line(x: np.ndarray) -> np.ndarray:
    """Class 1 where 2 a + b > 1."""
    score = 2 * x[:, 0] + x[:, 1] - 1
    return np.stack([0 * score, score], axis=1)


def counterfactuals(f: Any, card: Any, row: Any, **params: Any) -> Any:
    background = params.pop("background", DATA)
    return hand.answer(method, f, card, [row], params, background=background).report["rows"][0]


def two(**more: Any) -> Any:
    return hand.card(ABC, 2, "logits", labels=["no", "yes"], **more)


def test_the_nearest_single_change_goes_to_the_boundary() -> None:
    """From 0: a to 1/2 costs less than b to 1. The margin is 1 % of how far it was: 1.01 instead of 1."""
    answer = counterfactuals(line, two(), [0.0, 0.0, 0.0], count=2)
    first, second = answer["counterfactuals"]
    assert [change["feature"] for change in first["changes"]] == ["a"]
    assert [change["feature"] for change in second["changes"]] == ["b"]
    assert 0.505 <= first["changes"][0]["to"] <= 0.51
    assert 1.01 <= second["changes"][0]["to"] <= 1.02
    assert first["distance"] == pytest.approx(first["changes"][0]["to"] / SD[0])
    assert first["inputs"]["input"] == [first["changes"][0]["to"], 0.0, 0.0]
    assert first["outcome"]["label"] == "yes"
    assert first["outcome"]["values"].tolist() == line(np.array([first["inputs"]["input"]]))[0].tolist()
    assert answer["outcome"]["label"] == "no"
    assert answer["quality"] == {"converged": True, "verdict": "pass", "notes": []}


def test_two_features_where_one_cannot_do_it() -> None:
    """Both must be above 1/2; c plays no part and is not touched."""

    def corner(x: np.ndarray) -> np.ndarray:
        return np.stack([0 * x[:, 0], np.minimum(x[:, 0], x[:, 1]) - 0.5], axis=1)

    answer = counterfactuals(corner, two(), [0.0, 0.0, 0.0], count=1)
    (one,) = answer["counterfactuals"]
    assert [change["feature"] for change in one["changes"]] == ["a", "b"]
    assert all(0.5 < change["to"] < 0.52 for change in one["changes"])


def test_a_plateau_needs_a_start_from_afar() -> None:
    """A step that three features must take together: no single change moves the output, rows of the data show the way."""
    data = np.concatenate([DATA, DATA + 6])

    def step(x: np.ndarray) -> np.ndarray:
        far = (x > 4).all(axis=1)
        return np.stack([~far, far], axis=1).astype(float)

    answer = counterfactuals(step, two(), [0.0, 0.0, 0.0], count=1, background=data)
    (one,) = answer["counterfactuals"]
    assert one["changed"] == 3
    assert all(4 < change["to"] < 4.1 for change in one["changes"])


def test_limits_of_the_card() -> None:
    """Immutable a, b in a range too small, in steps, in one direction: what is left decides."""
    for limits, expected in (
        ({"immutable": ["a"]}, {"b": (1.01, 1.02)}),
        ({"immutable": ["b"], "ranges": {"a": [-1.0, 0.5]}}, None),
        ({"immutable": ["b"], "steps": {"a": 0.3}}, {"a": (0.6, 0.6)}),
        ({"immutable": ["b"], "directions": {"a": "decrease"}}, None),
        ({"ranges": {"a": [-1.0, 0.4], "b": [-1, 0.5]}}, {"a": (0.25, 0.4), "b": (0.2, 0.5)}),
        ({"immutable": ["a", "b", "c"]}, None),
    ):
        answer = counterfactuals(line, two(actionability=limits), [0.0, 0.0, 0.0], count=1, samples=2000)
        if expected is None:
            assert answer["counterfactuals"] == []
            assert answer["quality"]["verdict"] == "fail"
            assert answer["quality"]["converged"] is False
            assert answer["quality"]["notes"]
            continue
        (one,) = answer["counterfactuals"]
        assert {change["feature"] for change in one["changes"]} == set(expected)
        for change in one["changes"]:
            low, high = expected[change["feature"]]
            assert low - 1e-9 <= change["to"] <= high + 1e-9


def test_a_request_narrows_the_card_and_never_widens_it() -> None:
    card = two(actionability={"immutable": ["a"], "ranges": {"b": [-2.0, 1.5]}, "directions": {"b": "increase"}})
    wider = {"ranges": {"b": [-9.0, 9.0]}, "immutable": []}
    (one,) = counterfactuals(line, card, [0.0, 0.0, 0.0], count=1, actionability=wider)["counterfactuals"]
    assert [change["feature"] for change in one["changes"]] == ["b"]
    for narrower in ({"immutable": ["b"]}, {"ranges": {"b": [0, 0.9]}}, {"directions": {"b": "decrease"}}):
        assert counterfactuals(line, card, [0.0, 0.0, 0.0], actionability=narrower)["counterfactuals"] == []


def test_one_hot_blocks_categories_and_whole_numbers() -> None:
    rng = np.random.Generator(np.random.Philox(6))
    data = np.column_stack([np.eye(3)[rng.integers(0, 3, 100)], rng.integers(0, 4, 100), rng.integers(0, 9, 100)])
    card = hand.card(
        ["rent", "own", "free", "purpose", "years"], 1, "probabilities",
        groups={"housing": ("rent", "own", "free")}, categories={"purpose": ("car", "study", "house", "other")},
        actionability={"one_hot": ["housing"], "steps": {"years": 1}},
    )  # fmt: skip
    seen: list[np.ndarray] = []

    def f(x: np.ndarray) -> np.ndarray:
        seen.append(x)
        return np.clip(0.1 + 0.5 * x[:, 1] + 0.45 * (x[:, 3] == 2) + 0.05 * x[:, 4], 0, 1)

    answer = counterfactuals(f, card, [1, 0, 0, 0, 2], background=data)
    told = [tuple((c["feature"], c["from"], c["to"]) for c in one["changes"]) for one in answer["counterfactuals"]]
    assert {(("housing", "rent", "own"),), (("purpose", "car", "house"),)} <= set(told)
    points = np.concatenate(seen)
    assert (np.sort(points[:, :3], axis=1) == [0, 0, 1]).all(), "a block is one of its columns in every point that was asked"
    assert set(points[:, 3]) <= {0, 1, 2, 3}
    assert (points[:, 4] == np.rint(points[:, 4])).all()
    frozen = {"immutable": ["free"]}
    changed = counterfactuals(f, card, [1, 0, 0, 0, 2], background=data, actionability=frozen)["counterfactuals"]
    assert all(change["feature"] != "housing" for one in changed for change in one["changes"])


@pytest.mark.parametrize("datatype", ["FP32", "FP16", "FP64"])
def test_values_are_exactly_what_the_model_is_asked(datatype: str) -> None:
    """Confirmed in the input's own precision, inside the range in that precision, and unchanged features stay to the bit."""
    card = two(datatype=datatype, actionability={"ranges": {"a": [-0.1, 0.7], "b": [-0.1, 0.3]}})
    asked: list[np.ndarray] = []

    def f(x: np.ndarray) -> np.ndarray:
        asked.append(x)
        return line(x)

    row = [0.1, 0.1, 0.3]
    answer = counterfactuals(f, card, row, count=3)
    kind = {"FP16": np.float16, "FP32": np.float32, "FP64": np.float64}[datatype]
    assert answer["counterfactuals"]
    for one in answer["counterfactuals"]:
        point = np.array(one["inputs"]["input"])
        assert (point == point.astype(kind).astype(np.float64)).all()
        assert any((point == each).all() for each in asked[-1]), "the last question was about this very row"
        assert line(point[None])[0].argmax() == 1
        assert -0.1 <= point[0] <= 0.7
        assert -0.1 <= point[1] <= 0.3
        kept = set(ABC) - {change["feature"] for change in one["changes"]}
        for name in kept:
            assert point[ABC.index(name)] == kind(row[ABC.index(name)])


def test_what_the_last_look_does_not_confirm_is_never_answered() -> None:
    """A model that changes its mind: what was found is not valid any more, and nothing is answered."""
    calls: list[int] = []

    def moody(x: np.ndarray) -> np.ndarray:
        calls.append(len(x))
        return line(x) * (-1 if len(x) == 1 and len(calls) > 2 else 1)

    answer = counterfactuals(moody, two(), [0.0, 0.0, 0.0], count=1)
    assert answer["counterfactuals"] == []
    assert answer["quality"]["verdict"] == "fail"


def test_desired_outcomes() -> None:
    def three(x: np.ndarray) -> np.ndarray:
        return np.stack([1 - np.abs(x[:, 0]), x[:, 0], -x[:, 0]], axis=1)

    card = hand.card(ABC, 3, "scores", labels=["middle", "right", "left"])
    for desired, low, high in (("right", 0.5, 0.52), (2, -0.52, -0.5)):
        (one,) = counterfactuals(three, card, [0.0, 0.0, 0.0], desired=desired, count=1)["counterfactuals"]
        assert low <= one["changes"][0]["to"] <= high
        assert one["changed"] == 1
    answer = counterfactuals(three, card, [0.0, 0.0, 0.0], desired="middle")
    assert (answer["counterfactuals"], answer["quality"]["verdict"]) == ([], "pass")
    assert "as it is" in answer["quality"]["notes"][0]

    number = hand.card(ABC)
    answer = counterfactuals(lambda x: x @ [1.0, 2.0, 0.0], number, [0.0, 0.0, 0.0], desired={"range": [1.0, 1.5]}, count=2)
    assert {tuple(change["feature"] for change in one["changes"]) for one in answer["counterfactuals"]} == {("a",), ("b",)}
    for one in answer["counterfactuals"]:
        assert 1.0 <= one["outcome"]["values"][0] <= 1.02
        assert one["outcome"]["index"] is None


def test_a_row_without_data_or_ranges_has_nowhere_to_go() -> None:
    (row,) = hand.answer(method, line, two(), [[0.0, 0.0, 0.0]]).report["rows"]
    assert row["quality"]["verdict"] == "fail"
    assert "send a background set" in row["quality"]["notes"][0]
    ranged = two(actionability={"ranges": {"b": [-2.0, 2.0]}})
    (row,) = hand.answer(method, line, ranged, [[0.0, 0.0, 0.0]], {"count": 1}).report["rows"]
    assert [change["feature"] for change in row["counterfactuals"][0]["changes"]] == ["b"]


def test_several_are_different() -> None:
    """Each changes what no other changes in full; where there is one feature only, up and down."""
    answer = counterfactuals(lambda x: np.stack([1 + 0 * x[:, 0], x.sum(axis=1)], 1), two(), [0.0, 0.0, 0.0], count=3)
    sets = [{change["feature"] for change in one["changes"]} for one in answer["counterfactuals"]]
    assert sorted(sets, key=min) == [{"a"}, {"b"}, {"c"}]
    lone = hand.card(["a"], 2, "logits")

    def f(x: np.ndarray) -> np.ndarray:
        return np.stack([1 + 0 * x[:, 0], np.abs(x[:, 0])], axis=1)

    answer = counterfactuals(f, lone, [0.0], count=3, background=DATA[:, :1])
    assert sorted(np.sign(one["changes"][0]["to"]) for one in answer["counterfactuals"]) == [-1, 1]
    assert answer["quality"]["verdict"] == "warn"
    assert "2 of 3" in answer["quality"]["notes"][0]


def test_the_budget_holds_and_rows_do_not_see_each_other() -> None:
    rows = RNG.normal(size=(12, 3)) - 1
    together = hand.answer(method, line, two(), rows, {"samples": 400}, background=DATA)
    assert all(row["model_evaluations"] <= 400 for row in together.report["rows"])
    assert together.evaluations == len(DATA) + sum(row["model_evaluations"] for row in together.report["rows"])
    for number in (3, 7):
        alone = hand.answer(method, line, two(), rows[number : number + 1], {"samples": 400}, background=DATA).report["rows"][0]
        assert str(alone["counterfactuals"]) == str(together.report["rows"][number]["counterfactuals"])


@pytest.mark.parametrize(
    ("card", "params", "says"),
    [
        (hand.card(ABC), {}, "must be {\"range\""),
        (two(), {"desired": "maybe"}, "or a class of the output: no, yes"),
        (two(), {"desired": 2}, "or a class of the output: no, yes"),
        (two(), {"desired": {"range": [2, 1]}}, "null for an open end"),
        (two(), {"actionability": {"immutable": ["z"]}}, "immutable names a feature or group that is not there"),
        (two(), {"actionability": {"ranges": {"a": ["0", 1]}}}, "must be an object of immutable"),
        (two(), {"actionability": {"never": ["a"]}}, "must be an object of immutable"),
        (two(), {"actionability": {"steps": {"a": 0}}}, "must be an object of immutable"),
        (two(actionability={"ranges": {"a": [0, 1]}}), {"actionability": {"ranges": {"a": [2, 3]}}}, "nothing is left of it"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(card: Any, params: dict[str, Any], says: str) -> None:
    with pytest.raises(ExplaineryError, match=says):
        counterfactuals(line, card, [0.0, 0.0, 0.0], **params)
