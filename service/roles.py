"""Which role each route asks for. What is not named here asks by its HTTP method: a new route is never open by mistake."""

from __future__ import annotations

from explainery.contract.access import Role

OPEN = frozenset(
    {
        "health.health", "health.ready", "health.docs", "openapi.spec",
        "kserve_v1.live", "open_inference.live", "open_inference.ready",
    }
)  # fmt: skip
"""Endpoints that ask nobody: whether the service lives, and its documentation."""
ROLES = {
    "health.metrics": Role.MONITOR,
    "models.add": Role.OPERATOR,
    "estimates.estimate": Role.VIEWER,
    "webhooks.remove": Role.SUBMITTER,
    "backgrounds.forget_background": Role.SUBMITTER,
}
"""Endpoint -> role, where it is not that of its method."""
BY_METHOD = {"GET": Role.VIEWER, "HEAD": Role.VIEWER, "OPTIONS": Role.VIEWER, "DELETE": Role.OPERATOR}
"""All others: submitter."""


def role_for(endpoint: str | None, method: str) -> Role:
    """The least role for a route; a path that leads nowhere asks for the least there is."""
    if endpoint is None:
        return Role.VIEWER
    return ROLES.get(endpoint) or BY_METHOD.get(method, Role.SUBMITTER)
