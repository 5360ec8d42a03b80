"""The parameter `features`: which inputs move together, in the forms a request may give it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FEATURE_FORMS = ("grid", "superpixels", "window", "groups", "labels", "text")
TEXT_UNITS = ("tokens", "words", "sentences")
"""What may play in a text; also as `features` alone: "words" is {"text": "words"}."""


def fault_of(value: object) -> str | None:
    """Check the shape of a `features` value: "elements", one of TEXT_UNITS, or an object with one of FEATURE_FORMS."""
    if isinstance(value, str) and value in ("elements", *TEXT_UNITS):
        return None
    if not isinstance(value, Mapping) or len(value) != 1 or next(iter(value)) not in FEATURE_FORMS:
        forms = ", ".join(f'{{"{form}": ...}}' for form in FEATURE_FORMS)
        return f'must be "elements", "tokens", "words", "sentences" or one of {forms}'
    form, body = next(iter(value.items()))
    if form == "text":
        return None if body in TEXT_UNITS else f"text must be one of {', '.join(TEXT_UNITS)}"
    if form in ("grid", "window"):
        return sizes_fault(body)
    if form == "superpixels":
        fits = isinstance(body, int) and not isinstance(body, bool) and body >= 2
        return None if fits else "superpixels must be an integer >= 2: about how many there are to be"
    if form == "groups":
        named = isinstance(body, Mapping) and body and all(_is_names(members) for members in body.values())
        return None if named else "groups must map a name to a list of feature names"
    return None if isinstance(body, (list, Mapping)) and body else "labels must be integers shaped like one row"


def follows_content(features: Any) -> bool:
    """Whether a checked `features` cuts each row by what is in it, and not by its shape alone."""
    return isinstance(features, Mapping) and "superpixels" in features


def text_unit(features: Any) -> str | None:
    """What is to play in a text, one of TEXT_UNITS, where a checked `features` says so."""
    unit = features.get("text") if isinstance(features, Mapping) else features
    return unit if unit in TEXT_UNITS else None


def _is_names(members: object) -> bool:
    return isinstance(members, (list, tuple)) and bool(members) and all(isinstance(member, str) for member in members)


def sizes_fault(value: object) -> str | None:
    """Say what is wrong with a size for all axes, or one per axis; None where nothing is."""
    sizes = value if isinstance(value, (list, tuple)) else [value]
    whole = all(isinstance(size, int) and not isinstance(size, bool) and size >= 1 for size in sizes)
    return None if sizes and whole else "must be an integer >= 1, or a list of one per axis"
