"""Who makes the current request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import g, has_request_context

from explainery.contract.access import Policy, Role
from explainery.store.backgrounds import Backgrounds
from explainery.store.jobs import ANY, Quota
from explainery.store.tenants import Standing
from service.passes import Pass


@dataclass(frozen=True)
class Caller:
    """Somebody who has shown who they are. `standing`: where their tenant stands; `shown`: what they were let in with."""

    tenant: str
    role: Role
    policy: Policy
    standing: Standing
    shown: Pass


def caller_now() -> Caller | None:
    """The current request's caller; None where nobody is asked."""
    return cast(Caller | None, g.get("caller")) if has_request_context() else None


def shown_now() -> Pass | None:
    """What the current request's caller was let in with; None where nobody is asked."""
    caller = caller_now()
    return None if caller is None else caller.shown


def quota_now(beside: Backgrounds | None = None) -> Quota:
    """What the caller's tenant may have; of the bytes, what its backgrounds leave for jobs, where `beside` is given."""
    caller = caller_now()
    if caller is None:
        return ANY
    policy = caller.policy
    most = policy.bytes
    if most and beside is not None:
        most = max(1, most - beside.bytes_of(caller.tenant))
    return Quota(policy.jobs, most, policy.compute_s)
