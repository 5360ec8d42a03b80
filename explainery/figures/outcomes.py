"""Outcomes that reports of single rows name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from explainery.figures import words


def outcome_of(outcome: Mapping[str, Any]) -> str:
    """A class with its number, or the number itself."""
    values, index = outcome.get("values") or [], outcome.get("index")
    number = words.number(float(values[index if index is not None and index < len(values) else 0])) if values else ""
    label = outcome.get("label")
    if label is None:
        return number if index is None else f"class {index} ({number})"
    return f"{words.short(str(label), 40)} ({number})"
