"""Closed formulas as text: what they are worth, and what is not let in."""

from __future__ import annotations

import pytest

from explainery.contract.formula import MOST_POWER, Unknown, check, evaluate, names, names_in


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 ** players - 2", 30),
        ("samples // 3 * 2", 66),
        ("min(samples - 2, 2 ** players - 2)", 30),
        ("max(4 * players, 32)", 32),
        ("1 if tolerance > 0 and players == 5 else 0", 1),
        ("1 if not tolerance or players != 5 else 0", 0),
        ("-samples // 7", -15),
        ("samples if players <= 4 else players", 5),
    ],
)
def test_formulas(text: str, value: int) -> None:
    assert evaluate(text, names({"players": 5, "samples": 100, "tolerance": 0.01})) == value


def test_only_what_decides_is_asked_for() -> None:
    known = names({"samples": 7})
    assert evaluate("samples if samples > 3 else players", known) == 7
    assert evaluate("samples > 3 or players > 3", known) is True
    with pytest.raises(Unknown):
        evaluate("players if samples > 3 else 1", known)
    with pytest.raises(Unknown):
        evaluate("samples < 3 or players > 3", known)
    assert names_in("min(samples, players)") == {"samples", "players"}


def test_a_power_is_cut_off() -> None:
    assert evaluate("2 ** players", names({"players": 10**9})) == 2**MOST_POWER


@pytest.mark.parametrize(
    "text",
    ["__import__('os')", "players.bit_length()", "[1]", "'a'", "lambda: 1", "f(1)", "min()", "1 +", "1 < 2 < 3", "", "x" * 500,
     "min(1, key=2)", "players[0]", "1 / 2"],
)  # fmt: skip
def test_nothing_else_is_let_in(text: str) -> None:
    with pytest.raises(ValueError, match="formula"):
        check(text)
