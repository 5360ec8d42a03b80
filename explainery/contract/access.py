"""Who may do what: roles, API keys and a tenant's policy. A key is shown once; what is kept of it is a digest."""

from __future__ import annotations

import hashlib
import re
import secrets
from enum import StrEnum
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict

ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_WRITTEN = re.compile(r"exk_([0-9a-z]{12})_[A-Za-z0-9_-]{43}")
MARK = "exk_"
"""What every API key begins with, so that one that leaked is found by those who look for such things."""


class Role(StrEnum):
    """What a caller may do. An operator may do everything; `monitor` reads the metrics and nothing else."""

    MONITOR = "monitor"
    VIEWER = "viewer"
    SUBMITTER = "submitter"
    OPERATOR = "operator"

    def may(self, needed: Role) -> bool:
        """Whether this role is enough where `needed` is asked for."""
        return needed in _COVERED[self]


_COVERED = {
    Role.MONITOR: frozenset({Role.MONITOR}),
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.SUBMITTER: frozenset({Role.VIEWER, Role.SUBMITTER}),
    Role.OPERATOR: frozenset(Role),
}


class ApiKey(BaseModel):
    """An API key as it is listed. Times are RFC 3339 UTC; `used_at` is about a minute exact."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    tenant: str
    role: Role
    created_at: str
    expires_at: str | None = None
    used_at: str | None = None


class Policy(BaseModel):
    """What a tenant may use: models by pattern, requests a minute, jobs that have not ended, stored bytes, compute a day.

    0: any number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[str, ...] = ("*",)
    requests: int = 0
    jobs: int = 0
    bytes: int = 0
    compute_s: float = 0.0

    def allows(self, model: str) -> bool:
        """Whether the tenant may use the model of that name. Patterns are those of a shell: `credit-*`."""
        return any(fnmatchcase(model, pattern) for pattern in self.models)


def new_token() -> tuple[str, str]:
    """A new key: its public id, and the whole of it, which holds 256 random bits."""
    key_id = "".join(secrets.choice(ID_ALPHABET) for _ in range(12))
    return key_id, f"{MARK}{key_id}_{secrets.token_urlsafe(32)}"


def id_of(token: str) -> str | None:
    """The public id of a key; None for what is none."""
    match = _WRITTEN.fullmatch(token)
    return match[1] if match else None


def digest_of(token: str) -> str:
    """What is kept of a key. SHA-256 alone: there is nothing to guess in 256 random bits, so nothing to slow down."""
    return hashlib.sha256(token.encode()).hexdigest()
