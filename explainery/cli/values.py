"""Values on the command line: callbacks of click's options."""

from __future__ import annotations

import json
from typing import Any

import click


def assignments(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """Read each `name=value`; the value is read as JSON, else it is a string."""
    return dict(_assignment(value) for value in values)


def target(ctx: click.Context, param: click.Parameter, value: str | None) -> int | str | None:
    """A whole number is an index, `null` is None, anything else is text (a label, or `predicted`)."""
    if value is None or value == "null":
        return None
    return int(value) if value.isdecimal() else value


def baseline(ctx: click.Context, param: click.Parameter, value: str | None) -> dict[str, Any] | str | None:
    """A JSON object, a word, or a number b, which means {"value": b}."""
    read = None if value is None else loose_json(value)
    if isinstance(read, int | float) and not isinstance(read, bool):
        return {"value": read}
    return read if isinstance(read, dict) else value


def checks(ctx: click.Context, param: click.Parameter, value: str | None) -> list[Any] | None:
    """Names with commas between, or a JSON list of names and objects."""
    read = None if value is None else loose_json(value)
    if value is None or isinstance(read, list):
        return read
    return [name.strip() for name in value.split(",") if name.strip()]


def loose_json(text: str) -> Any:
    """JSON, or the text itself where it is none."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _assignment(value: str) -> tuple[str, Any]:
    name, equals, text = value.partition("=")
    if not (name and equals):
        raise click.BadParameter("must be name=value")
    return name, loose_json(text)
