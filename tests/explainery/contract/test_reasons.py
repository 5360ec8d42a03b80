"""Principal reasons: sums before ranks, ties and signs, and how certain the order is."""

from __future__ import annotations

import pytest

from explainery.contract.errors import CardInvalid
from explainery.contract.model_card import parse_card
from explainery.contract.reasons import Codes, Contribution, Reason, ReasonCode, ReasonsAsked, principal_reasons

LOW = ReasonCode(code="R1", text="Income is low")
DEBT = ReasonCode(code="R2", text="Debt is high")
CODES = Codes({"income": LOW, "hours": LOW, "loans": DEBT}, {"loans": ("car", "house"), "odd": ("age", "shoe")})


def reasons(*given: tuple[str, float, float | None], top: int = 4, direction: str = "against") -> tuple[Reason, ...]:
    asked = ReasonsAsked.model_validate({"top": top, "direction": direction})
    return principal_reasons([Contribution(*each) for each in given], CODES, asked)


def test_the_strongest_first_and_only_of_the_sign_asked() -> None:
    given = (("age", -1.0, 0.0), ("income", -3.0, 0.0), ("shoe", 2.0, 0.0), ("debt", 0.0, 0.0))
    assert [(each.rank, each.code, each.features) for each in reasons(*given)] == [(1, "R1", ("income",)), (2, None, ("age",))]
    assert [each.features for each in reasons(*given, direction="for")] == [("shoe",)]
    assert [each.features for each in reasons(*given, top=1)] == [("income",)]


def test_one_code_and_one_group_are_summed_before_they_are_ranked() -> None:
    found = reasons(("income", -2.0, 0.3), ("age", -3.0, 0.0), ("hours", -2.0, 0.4), ("car", -2.5, 0.0), ("house", -2.5, 0.0))
    assert [(each.code, each.features, each.contribution) for each in found] == [
        ("R2", ("car", "house"), -5.0),
        ("R1", ("income", "hours"), -4.0),
        (None, ("age",), -3.0),
    ]
    assert found[1].standard_error == pytest.approx(0.5)


def test_what_cancels_within_a_group_is_no_reason() -> None:
    assert [each.features for each in reasons(("car", -9.0, 0.0), ("house", 10.0, 0.0), ("age", -1.0, 0.0))] == [("age",)]


def test_a_group_without_a_code_has_that_of_its_features_if_they_share_one() -> None:
    codes = Codes({"a": LOW, "b": LOW, "c": DEBT}, {"ab": ("a", "b"), "bc": ("b", "c")})
    assert (codes.of("ab"), codes.of("bc")) == (LOW, None)


def test_ties_stand_in_the_cards_order_and_are_not_certain() -> None:
    found = reasons(("age", -1.0, 0.0), ("income", -2.0, 0.0), ("shoe", -2.0 - 1e-9, 0.0))
    assert [(each.features, each.tied, each.certain) for each in found] == [
        (("income",), True, False),
        (("shoe",), True, False),
        (("age",), False, True),
    ]


@pytest.mark.parametrize("last", [-0.8, -1e-9, 0.5])
def test_all_behind_have_a_word_and_not_only_the_next(last: float) -> None:
    """The third may well be the largest, whether or not it seems to speak that way."""
    found = reasons(("age", -1.0, 0.01), ("shoe", -0.9, 0.01), ("debt", last, 2.0))
    assert [each.certain for each in found] == [False] * len(found)
    found = reasons(("age", -1.0, 0.01), ("shoe", -0.9, 0.01), ("debt", last, 0.01))
    assert [each.certain for each in found] == [True] * len(found)


@pytest.mark.parametrize(
    ("first", "second", "certain"),
    [
        ((-2.0, 0.1), (-1.0, 0.1), (True, True)),
        ((-2.0, 0.4), (-1.0, 0.4), (False, True)),  # 1 apart, 1.96 * 0.57 = 1.11
        ((-2.0, 0.4), (-1.0, 0.6), (False, False)),  # the second may be none at all
        ((-2.0, None), (-1.0, 0.1), (False, True)),
        ((-2.0, 0.0), (-1.0, 0.0), (True, True)),
    ],
)
def test_the_intervals_have_the_last_word_on_the_order(first: tuple, second: tuple, certain: tuple[bool, bool]) -> None:
    found = reasons(("age", *first), ("shoe", *second))
    assert tuple(each.certain for each in found) == certain


def test_what_is_cut_off_counts_for_the_order_of_what_is_not() -> None:
    assert [each.certain for each in reasons(("age", -2.0, 0.4), ("shoe", -1.9, 0.4), top=1)] == [False]


def test_a_flat_answer_has_no_reasons() -> None:
    assert reasons(("age", 0.0, 0.0), ("shoe", 0.0, 0.0)) == ()


CARD = """title = "t"
format = "stub"
[[inputs]]
name = "row"
datatype = "FP64"
shape = [-1, 3]
modality = "tabular"
features = ["age", "income", "debt"]
groups = {money = ["income", "debt"]}
[[outputs]]
name = "score"
datatype = "FP64"
shape = [-1]
[reasons]
"""


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ('wage = {code = "R1", text = "Low"}', "unknown features or groups: wage"),
        ('age = {code = "R1", text = "Low"}\nincome = {code = "R1", text = "High"}', "R1 two texts"),
        ('age = {code = "", text = "Low"}', "at least 1"),
        ('age = {code = "R1"}', "required"),
        ('age = {code = "R1", text = "Low", more = 1}', "not permitted"),
    ],
)
def test_cards_that_cannot_be_used(table: str, fault: str) -> None:
    with pytest.raises(CardInvalid, match=fault):
        parse_card(CARD + table)


def test_a_card_with_codes() -> None:
    card = parse_card(CARD + 'age = {code = "R1", text = "Young"}\nmoney = {code = "R2", text = "Poor"}')
    assert card.reasons["money"].code == "R2"
