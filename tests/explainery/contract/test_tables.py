"""Limits of what may be changed, on the card and in a request; tables of several inputs; methods of tables."""

from __future__ import annotations

from typing import Any

import pytest
import repos

from explainery.contract.actionability import Actionability, fault_of, read_actionability
from explainery.contract.catalogue import MethodSpec, Param
from explainery.contract.effort import effort_of
from explainery.contract.errors import CardInvalid, InvalidParameter
from explainery.contract.model_card import ModelCard, parse_card
from explainery.contract.tables import check_table, features_of, groups_of, lacks_table, limits_of, outcome_names

AGE = {"modality": "tabular", "features": ["age", "rent", "own"], "groups": {"housing": ["rent", "own"]}}


def card(*inputs: str, output: str = "") -> ModelCard:
    return parse_card(f'title = "m"\nformat = "stub"\n{"".join(inputs)}{output or repos.output(1)}[stub]\nform = "linear"\n')


def table(name: str = "input", **actionability: Any) -> str:
    return repos.tensor_input(name, [3], **AGE, actionability=actionability)


def test_a_card_says_what_may_be_changed() -> None:
    made = card(
        table(
            immutable=["age", "housing"], ranges={"age": [18, 99.5]}, directions={"age": "increase"}, steps={"age": 1},
            one_hot=["housing"],
        )
    )  # fmt: skip
    limits = limits_of(made, None)
    assert limits.ranges == {"age": (18.0, 99.5)}
    assert limits.one_hot == ("housing",)
    assert made == ModelCard.model_validate_json(made.model_dump_json()), "as the workers publish it"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"immutable": ["shoe"]}, "immutable names a feature or group that is not there"),
        ({"one_hot": ["age"]}, "one_hot names a group that is not there"),
        ({"ranges": {"shoe": [0, 1]}}, "ranges names a feature that is not there"),
        ({"ranges": {"age": [2, 1]}}, r"ranges must be \[lowest, highest\]"),
        ({"ranges": {"rent": [0, 1]}, "one_hot": ["housing"]}, "has no range and no steps"),
        ({"steps": {"age": 0}}, "greater than 0"),
        ({"directions": {"age": "up"}}, "'increase' or 'decrease'"),
        ({"mutable": ["age"]}, "Extra inputs are not permitted"),
    ],
)
def test_mistakes_of_a_card_are_named(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(CardInvalid, match=says):
        card(table(**wrong))


def test_only_tables_have_it_and_only_with_names() -> None:
    limits = {"immutable": ["age"]}
    with pytest.raises(CardInvalid, match='actionability is for inputs of modality "tabular"'):
        card(repos.tensor_input("x", [3], actionability=limits))
    with pytest.raises(CardInvalid, match="actionability needs feature names"):
        card(repos.tensor_input("x", [3], modality="tabular", actionability=limits))


def test_a_request_narrows() -> None:
    of_card = Actionability(ranges={"a": (0.0, 10.0)}, directions={"a": "increase"}, steps={"a": 2.0, "b": 1.0})
    both = of_card.narrowed(
        Actionability(ranges={"a": (-5.0, 3.0), "b": (0.0, 1.0)}, directions={"a": "decrease"}, steps={"a": 4.0, "b": 0.3})
    )
    assert both.ranges == {"a": (0.0, 3.0), "b": (0.0, 1.0)}
    assert both.steps == {"a": 4.0, "b": 1.0}
    assert set(both.immutable) == {"a", "b"}, "a may only rise and only fall; 1 is no multiple of 0.3"
    assert of_card.narrowed(Actionability(steps={"b": 0.5})).immutable == ()


def test_a_requests_limits_are_strict_in_their_types() -> None:
    assert read_actionability({"immutable": ["a"], "ranges": {"a": [0, 1.5]}}).ranges == {"a": (0.0, 1.5)}
    for wrong in ({"ranges": {"a": ["0", 1]}}, {"immutable": "a"}, {"steps": {"a": True}}, [], "a", {"ranges": {"a": [0]}}):
        assert "must be an object of immutable" in str(fault_of(wrong)), wrong


def test_two_tables_that_share_a_name() -> None:
    made = card(table("a", immutable=["age"]), table("b", immutable=["own"]))
    assert list(features_of(made)) == ["a.age", "a.rent", "a.own", "b.age", "b.rent", "b.own"]
    assert groups_of(made) == {"housing": ("a.rent", "a.own"), "b.housing": ("b.rent", "b.own")}
    assert limits_of(made, None).immutable == ("a.age", "b.own")
    unnamed = card(repos.tensor_input("x", [2], modality="tabular"))
    assert list(features_of(unnamed)) == ["x[0]", "x[1]"]


def test_what_is_no_table_says_why() -> None:
    assert lacks_table(card(table())) is None
    assert "input x is of modality image" in str(
        lacks_table(card(table(), repos.tensor_input("x", [1, 4, 4], modality="image", layout="NCHW")))
    )
    assert "its shape in the card is open" in str(lacks_table(card(repos.tensor_input("x", [-1], modality="tabular"))))


@pytest.mark.parametrize(
    ("columns", "kind", "labels", "names"),
    [
        (1, "regression", (), None),
        (3, "regression", (), None),
        (1, "scores", (), None),
        (1, "logits", (), ("0", "1")),
        (2, "probabilities", ("no", "yes"), ("no", "yes")),
        (3, "scores", (), ("0", "1", "2")),
    ],
)
def test_classes_of_an_output(columns: int, kind: str, labels: tuple[str, ...], names: tuple[str, ...] | None) -> None:
    assert outcome_names(card(table(), output=repos.output(columns, kind=kind, labels=labels)).score_output) == names


def test_parameters_are_held_against_the_card() -> None:
    method = MethodSpec(
        name="m", title="", summary="", asks=("values",), completeness=False, reference="", level="job", table=True,
        params=(Param(name="truth", type="truth", help=""), Param(name="goal", type="outcome", default="other", help="")),
    )  # fmt: skip
    classes = card(table(), output=repos.output(2, kind="logits", labels=("no", "yes")))
    check_table(method, {"truth": ["no", 1], "goal": "yes"}, classes, 2)
    for params in ({"truth": ["no"]}, {"truth": ["no", 2]}, {"truth": ["no", 0.5]}, {"goal": "maybe"}):
        with pytest.raises(InvalidParameter) as refusal:
            check_table(method, {"truth": None, "goal": "other"} | params, classes, 2)
        assert refusal.value.errors[0]["loc"] == f"params.{next(iter(params))}"
    check_table(method.model_copy(update={"table": False}), {"goal": "maybe"}, classes, 2)


@pytest.mark.parametrize(
    ("params", "players", "expected"),
    [
        ({"samples": 500}, 10, 3 * 500),
        ({"repeats": 5}, 10, 3 * 51),
        ({"grid": 20}, 4, 3 * 81),
        ({"grid": 20}, None, 3 * (1 + 20 * 64)),
        ({"grid": 20, "of": ["a", ["b"], ["a", "b"]]}, 9, 3 * (1 + 20 + 20 + 400)),
    ],
)
def test_effort(params: dict[str, int], players: int | None, expected: int) -> None:
    method = MethodSpec(
        name="m", title="", summary="", asks=("values",), completeness=False, reference="", level="job", table=True
    )
    assert effort_of(method, params, 3, players) == expected
