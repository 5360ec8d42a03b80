"""A webhook and its deliveries, as the wire shows them; and their signature, by Standard Webhooks 1.0."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Annotated, Literal

from pydantic import Field

from explainery.contract.events import ENDS
from explainery.contract.frozen import Frozen

SECRET = "whsec_"  # noqa: S105  what a secret begins with
SECRET_BYTES = 32


class WebhookRequest(Frozen):
    """The body of `POST /v1/webhooks`."""

    url: Annotated[str, Field(min_length=1, max_length=2048)]
    types: Annotated[list[str], Field(min_length=1, max_length=32, default_factory=lambda: list(ENDS))]
    description: Annotated[str, Field(max_length=256)] = ""


class Webhook(Frozen):
    """A webhook. `failing`: attempts that failed since the last that did not; `dropped`: events that found its line full."""

    id: str
    url: str
    types: tuple[str, ...]
    description: str
    tenant: str
    created_at: str
    disabled_at: str | None = None
    disabled_reason: str | None = None
    delivered_at: str | None = None
    failing: int = 0
    dropped: int = 0


class Delivery(Frozen):
    """One event on its way to one webhook. `id`: what its `webhook-id` says; `answer`: a status, or why there was none."""

    id: str
    type: str
    job: str | None
    status: Literal["waiting", "delivered", "failed"]
    attempts: int
    answer: str | None
    created_at: str
    tried_at: str | None
    next_at: str | None


def new_secret() -> str:
    """A new secret for HMAC-SHA256."""
    return SECRET + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` of a message (scheme v1)."""
    key = base64.b64decode(secret.removeprefix(SECRET))
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
