"""Data from outside -> contract objects. Faults are named by place; what was sent is never repeated."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from explainery.contract.errors import RequestRefused

Model = TypeVar("Model", bound=BaseModel)

UNIONS = {
    "target": 'must be "predicted", an output index, a label, null, or a list of one of these per row',
    "quality": 'must be a list of names of checks, or of objects {"check": name, ...}',
    "baseline": 'must be "zeros", "mean", "blur", "card", {"value": x}, {"tensor": ...} or {"background": [rows]}',
}
"""Fields that take several types: one sentence in place of a complaint per type."""
PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
"""Only names like these are repeated from the request."""


def validated(kind: type[Model], data: Any) -> Model:
    """Return `data` as a `kind`. Raises RequestRefused with every fault at once."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        faults = _faults(error, ", ".join(kind.model_fields))
        listed = "; ".join(f"{fault['loc']}: {fault['msg']}" for fault in faults[:8])
        raise RequestRefused(f"The request cannot be used: {listed}", faults) from None


def _faults(error: ValidationError, known: str) -> list[dict[str, str]]:
    faults: dict[str, str] = {}
    for each in error.errors(include_url=False, include_context=False, include_input=False):
        place = each["loc"]
        if place and place[0] in UNIONS:
            faults[str(place[0])] = UNIONS[str(place[0])]
        elif not place:
            faults["body"] = "must be a JSON object"
        elif each["type"] == "extra_forbidden":
            where = (*place[:-1], "?") if place[0] == "inputs" else place  # what stands in an input may be somebody's name
            faults[_written(where)] = f"is not a field; there are: {known}" if len(place) == 1 else "is not a field"
        else:
            faults[_written(place)] = each["msg"].replace("Input should be", "must be").replace("Field required", "is missing")
    return [{"loc": loc, "msg": msg} for loc, msg in faults.items()]


def _written(place: tuple[int | str, ...]) -> str:
    parts = (str(part) if isinstance(part, int) or PLAIN_NAME.fullmatch(part) else "?" for part in place)
    return ".".join(parts)
