"""What operations answer when something is wrong: one shape for every error."""

from __future__ import annotations

from typing import Any

from service.openapi.access import OPEN_OPERATIONS
from service.openapi.statuses import CALLERS, PHRASES, refusals
from service.openapi.words import ref

PROBLEM = {
    "description": "What went wrong, in the one shape of every error (RFC 9457).",
    "content": {"application/problem+json": {"schema": ref("Problem")}},
}


def refusals_of(operation: str) -> dict[str, Any]:
    """The errors that an operation answers with; where nobody has listed them, any."""
    statuses = refusals(operation)
    if statuses is None:
        return {"default": {"$ref": "#/components/responses/Problem"}}
    known = sorted({*statuses, *(() if operation in OPEN_OPERATIONS else CALLERS)})
    return {str(status): {**PROBLEM, "description": PHRASES[status]} for status in known}
