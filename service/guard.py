"""At the door of every request: who it is, whether they may, and whether it is not one too many.

Where EXPLAINERY_AUTH is off nobody is asked: the tenant is the one that a header names. Else every route but the open ones
asks for an API key or a token, which alone says whose request it is.
"""

from __future__ import annotations

import math

from flask import Flask, Response, g, request

from explainery.contract.access import MARK, Role
from explainery.contract.errors import Forbidden, QuotaExceeded, Unauthenticated
from service.caller import Caller, caller_now
from service.limits import limit_fields
from service.parts import Parts, parts
from service.passes import Pass
from service.roles import OPEN, role_for
from service.tenant import HEADER

KEY_HEADER = "X-Api-Key"


def guard_requests(app: Flask) -> None:
    """Ask at every request. What is registered before this sees refused requests, too."""
    app.before_request(_ask)
    app.after_request(_tell)


def _ask() -> None:
    context = parts()
    if not context.settings.credentials or request.endpoint in OPEN:
        return
    tenant, role, shown = _identified(context)
    g.key_id = shown.key_id
    standing = context.tenants.meter(tenant, shown.key_id or "")
    g.caller = Caller(tenant, role, standing.policy, standing, shown)
    if not standing.allowed:
        detail = f"Your tenant may make {standing.policy.requests} requests a minute; wait, and spread them out."
        raise QuotaExceeded(detail, "requests", max(1, math.ceil(standing.next_s)))
    if request.headers.get(HEADER, tenant) != tenant:
        raise Forbidden(f"Your key says whose request it is: leave out the header {HEADER}, or name your own tenant.")
    needed = role_for(request.endpoint, request.method)
    if not role.may(needed):
        raise Forbidden(f"This needs the role {needed.value}, and yours is {role.value}; ask an operator for another key.")


def _identified(context: Parts) -> tuple[str, Role, Pass]:
    """Tenant and role, and what says so. Raises Unauthenticated."""
    token = _token()
    kinds = context.settings.credentials
    if token is None:
        wanted = {"keys": "an API key", "oidc": "a token of your identity provider"}
        asked = " or ".join(text for kind, text in wanted.items() if kind in kinds)
        raise Unauthenticated(f"Say who you are: send {asked} as Authorization: Bearer ….", given=False)
    if "keys" in kinds and (token.startswith(MARK) or "oidc" not in kinds):
        known = context.keys.find(token)
        if known is None:
            raise Unauthenticated("This API key is not known, was revoked or has expired; ask an operator for one.", given=True)
        return known.tenant, known.role, Pass(known.id)
    if context.verifier is None:
        raise Unauthenticated("Tokens are not taken here.", given=True)
    tenant, role, ends_s = context.verifier.identify(token)
    return tenant, role, Pass(None, ends_s)


def _token() -> str | None:
    """What the request shows. Raises Unauthenticated for another scheme than Bearer."""
    given = request.headers.get("Authorization")
    if given is None:
        return request.headers.get(KEY_HEADER)
    scheme, _, token = given.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("Send the header Authorization as: Bearer, a blank, and your API key.", given=True)
    return token.strip()


def _tell(response: Response) -> Response:
    caller = caller_now()
    if caller is not None:
        response.headers.extend(limit_fields(caller.standing))
        response.headers.setdefault("Cache-Control", "private")
    return response
