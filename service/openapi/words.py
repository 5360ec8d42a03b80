"""JSON schema in a few words."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

REF = "#/components/schemas/"
TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
TRUTH: Schema = {"type": "boolean"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
NUMBER_OR_NULL: Schema = {"type": ["number", "null"]}
FREE: Schema = {"type": "object"}
FILE: Schema = {"type": "string", "format": "binary"}


def ref(name: str) -> Schema:
    """A schema of the document by its name."""
    return {"$ref": REF + name}


def structure(properties: Schema, *required: str) -> Schema:
    """An object; `required`: the properties that it cannot do without."""
    return {"type": "object", "properties": properties} | ({"required": list(required)} if required else {})


def array(items: Schema) -> Schema:
    """An array of one kind of item."""
    return {"type": "array", "items": items}


NUMBERS = array(NUMBER)


def text(shortest: int, longest: int) -> Schema:
    """A string of so many characters."""
    return {"type": "string", "minLength": shortest, "maxLength": longest}


def choice(*values: str, **more: Any) -> Schema:
    """One of some strings."""
    return {"type": "string", "enum": list(values), **more}


def whole(least: int, most: int | None = None, default: int | None = None) -> Schema:
    """A whole number within bounds."""
    bounds = {"minimum": least, "maximum": most, "default": default}
    return {"type": "integer"} | {name: value for name, value in bounds.items() if value is not None}
