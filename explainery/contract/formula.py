"""Closed formulas over whole numbers, as text: what a method costs, so that the API can tell without the method's code.

The language is Python's: numbers, names, + - * // ** and comparisons, `and`, `or`, `not`, `a if b else c`, min and max.
Nothing else is let in, and nothing is evaluated by Python itself.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

MOST_POWER = 1024
"""A power is cut off at this exponent: what is larger is out of reach anyway."""
MOST_TEXT = 400

Lookup = Callable[[str], Any]


class Unknown(Exception):
    """A name has no value here: a worker alone can tell."""


def check(text: str) -> str:
    """The text, if it is a formula. Raises ValueError."""
    _parsed(text)
    return text


def names_in(text: str) -> frozenset[str]:
    """The names that a formula may ask for. Raises ValueError."""
    return frozenset(node.id for node in ast.walk(_parsed(text)) if isinstance(node, ast.Name)) - set(_FUNCTIONS)


def evaluate(text: str, look_up: Lookup) -> Any:
    """The value of a formula. `look_up`: name -> value; only what decides is asked for. Raises Unknown, ValueError."""
    return _value(_parsed(text), look_up)


def names(values: Mapping[str, Any]) -> Lookup:
    """Look-up in a table; what is missing or None is unknown."""

    def look_up(name: str) -> Any:
        value = values.get(name)
        if value is None:
            raise Unknown(name)
        return value

    return look_up


@lru_cache(maxsize=512)
def _parsed(text: str) -> ast.expr:
    if len(text) > MOST_TEXT:
        raise ValueError("a formula may have 400 letters at most")
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, RecursionError, MemoryError):
        raise ValueError(f"{text!r} is no formula") from None
    for node in ast.walk(tree):
        if not _is_allowed(node):
            raise ValueError(f"{text!r}: a formula has numbers, names, + - * // **, comparisons, and, or, not, if, min and max")
    return tree


def _is_allowed(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (int, float))
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and bool(node.args) and not node.keywords
    if isinstance(node, ast.Compare):
        return len(node.ops) == 1
    return isinstance(node, (ast.Name, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.IfExp, ast.expr_context)) or type(node) in _SIGNS


def _value(node: ast.expr, look_up: Lookup) -> Any:  # a case per kind of node
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return look_up(node.id)
        case ast.IfExp():
            return _value(node.body if _value(node.test, look_up) else node.orelse, look_up)
        case ast.BoolOp():
            stop = isinstance(node.op, ast.Or)
            return stop if any(bool(_value(part, look_up)) is stop for part in node.values) else not stop
        case ast.UnaryOp():
            return _SIGNS[type(node.op)](_value(node.operand, look_up))
        case ast.BinOp():
            return _SIGNS[type(node.op)](_value(node.left, look_up), _value(node.right, look_up))
        case ast.Compare():
            return _SIGNS[type(node.ops[0])](_value(node.left, look_up), _value(node.comparators[0], look_up))
        case ast.Call(func=ast.Name(id=name)):
            return _FUNCTIONS[name](*(_value(part, look_up) for part in node.args))
    raise ValueError("no formula")


def _power(base: Any, exponent: Any) -> Any:
    return base ** min(exponent, MOST_POWER)


_FUNCTIONS: dict[str, Callable[..., Any]] = {"min": min, "max": max}
_SIGNS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: _power,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.And: operator.and_,
    ast.Or: operator.or_,
}
