"""How callers show who they are. Where EXPLAINERY_AUTH is off nobody is asked, and the document says so."""

from __future__ import annotations

SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key (`exk_…`), or a token of the identity provider. Asked for where EXPLAINERY_AUTH is on.",
    },
    "api_key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Api-Key",
        "description": "An API key.",
    },
}
OPEN_OPERATIONS = {"get_health", "get_readiness", "get_liveness_v1", "get_live_v2", "get_ready_v2"}
"""Those that never ask."""


def ways_in(*, asked: bool) -> list[dict[str, list[str]]]:
    """The document's `security`. `asked`: whether callers must show who they are."""
    known: list[dict[str, list[str]]] = [{name: []} for name in SCHEMES]
    return known if asked else [{}, *known]
