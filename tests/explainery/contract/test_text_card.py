"""What a card may say of texts, and which mistakes are named."""

from __future__ import annotations

from typing import Any

import pytest
import repos

from explainery.contract.errors import CardInvalid
from explainery.contract.model_card import ModelCard, parse_card


def card(*inputs: str, more: str = "") -> ModelCard:
    return parse_card(f'title = "m"\nformat = "stub"\n{"".join(inputs)}{repos.output(1)}[stub]\nform = "linear"\n{more}')


def text(name: str = "ids", length: int = -1, datatype: str = "INT64", **more: Any) -> str:
    return repos.tensor_input(name, [length], datatype, "text", **{"tokenizer": "tokenizer.json", **more})


def mask(name: str = "mask", length: int = -1, modality: str = "text_mask", **more: Any) -> str:
    return repos.tensor_input(name, [length], "INT64", modality, **more)


def test_what_a_tokenizer_fills_is_not_sent() -> None:
    made = card(text(), mask(), mask("types", modality="text_types"))
    assert [spec.name for spec in made.sent] == ["ids"]
    assert made.text_of(made.input("types")).name == "ids"
    assert made.files() == ("tokenizer.json",)


def test_two_texts_each_with_its_mask() -> None:
    made = card(text("a"), text("b", tokenizer="b.json"), mask("m", of="b"), mask("n", of="a"))
    assert [made.text_of(made.input(name)).name for name in ("m", "n")] == ["b", "a"]
    assert made.files() == ("tokenizer.json", "b.json")


WRONG = {
    "no tokenizer": ([repos.tensor_input("ids", [-1], "INT64", "text")], 'needs tokenizer = "tokenizer.json"'),
    "floats": ([text(datatype="FP32")], "INT64 or INT32"),
    "axes": ([repos.tensor_input("ids", [4, 4], "INT64", "text", tokenizer="t")], r"shape \[-1, tokens\]"),
    "too many tokens": ([text(length=8, max_tokens=9)], "more than the 8 tokens"),
    "no tokens": ([text(max_tokens=0)], "max_tokens"),
    "a tokenizer of numbers": ([repos.tensor_input("x", [4], tokenizer="t")], "are for inputs of modality"),
    "a mask token of numbers": ([repos.tensor_input("x", [4], mask_token="t")], "are for inputs of modality"),  # noqa: S106
    "a mask of nothing": (
        [repos.tensor_input("x", [4]), mask(length=4)],
        r'which text it goes with, of = "...": there is none',
    ),
    "a mask of one of two": ([text("a"), text("b"), mask()], r'of = "...": a, b'),
    "a mask of another": ([text("a"), mask(of="c")], 'of = "..."'),
    "a mask of another length": ([text("a", 8), mask(length=4)], r"must have the shape of a, \[-1, 8\]"),
    "of, without a mask": ([text(), repos.tensor_input("x", [4], of="ids")], "of is for inputs"),
    "outside": ([text(tokenizer="../tokenizer.json")], "must lie in the card's folder"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_mistakes_are_named(fault: str) -> None:
    inputs, words = WRONG[fault]
    with pytest.raises(CardInvalid, match=words):
        card(*inputs)


def test_a_mask_has_no_baseline() -> None:
    with pytest.raises(CardInvalid, match="baseline names unknown inputs: mask"):
        card(text(), mask(), more="[baseline]\nmask = 0.0\n")
