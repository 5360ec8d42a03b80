"""The body of a torch function that is written in Python, as a function of its own.

Such a function first asks whether a mode is on, and hands itself to the mode when one is. To let a mode see what it is made
of, its code is run with that question answered "no"; the functions that it calls then meet the mode one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import FunctionType
from typing import Any

ASKED = ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")
DISPATCHERS = ("torch._jit_internal",)
"""Modules whose functions only choose between two others, which hand the chooser itself to the mode: no body to run."""


@lru_cache(maxsize=1024)
def body_of(func: Callable[..., Any]) -> Callable[..., Any] | None:
    """What the function does once no mode is on, or None where it is not written in Python by torch."""
    inner = getattr(func, "__wrapped__", func)
    if not isinstance(inner, FunctionType) or not inner.__globals__["__name__"].startswith("torch."):
        return None
    if inner.__globals__["__name__"] in DISPATCHERS:
        return None
    made = FunctionType(
        inner.__code__, _answered_no(inner.__globals__["__name__"]), inner.__name__, inner.__defaults__, inner.__closure__
    )
    made.__kwdefaults__ = inner.__kwdefaults__
    return made


@lru_cache(maxsize=64)
def _answered_no(module: str) -> dict[str, Any]:
    import importlib

    names = dict(vars(importlib.import_module(module)))
    return names | {name: _no for name in ASKED if name in names}


def _no(*tensors: object) -> bool:
    return False
