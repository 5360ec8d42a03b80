"""Whose request it is. Until there are API keys, a header says so."""

from __future__ import annotations

from flask import request

from explainery.contract.errors import RequestRefused
from explainery.contract.job import DEFAULT_TENANT, is_tenant

HEADER = "X-Explainery-Tenant"


def read_tenant(header: str | None) -> str:
    """The tenant that the header names, or the default one. Raises RequestRefused for what cannot be a name."""
    if header is None:
        return DEFAULT_TENANT
    if not is_tenant(header):
        fault = {"loc": f"header.{HEADER}", "msg": "must be letters, digits, '.', '_' or '-', at most 64"}
        raise RequestRefused(f"The header {HEADER} {fault['msg']}.", [fault])
    return header


def tenant_now() -> str:
    """The tenant of the current request. Raises RequestRefused."""
    return read_tenant(request.headers.get(HEADER))
