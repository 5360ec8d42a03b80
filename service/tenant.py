"""Whose request it is: the caller's, or, where nobody is asked, the tenant that a header names."""

from __future__ import annotations

from flask import request

from explainery.contract.errors import RequestRefused, Unauthenticated
from explainery.contract.job import DEFAULT_TENANT, is_tenant
from service.caller import caller_now
from service.parts import parts

HEADER = "X-Explainery-Tenant"


def tenant_now() -> str:
    """The tenant of the current request. Raises RequestRefused for a header that cannot be a name."""
    return read_tenant(request.headers.get(HEADER))


def read_tenant(header: str | None) -> str:
    """The tenant of the current request; `header` counts only where nobody is asked who they are. Raises RequestRefused."""
    caller = caller_now()
    if caller is not None:
        return caller.tenant
    if parts().settings.credentials:
        raise Unauthenticated("This route asks nobody who they are, so it is nobody's.", given=False)
    if header is None:
        return DEFAULT_TENANT
    if not is_tenant(header):
        fault = {"loc": f"header.{HEADER}", "msg": "must be letters, digits, '.', '_' or '-', at most 64"}
        raise RequestRefused(f"The header {HEADER} {fault['msg']}.", [fault])
    return header
