"""A webhook and its deliveries, as the wire shows them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from explainery.contract.batch_events import BATCH_ENDS
from explainery.contract.events import ENDS, TYPES
from explainery.contract.frozen import Frozen
from explainery.contract.signatures import Signing

KNOWN_TYPES = (*TYPES, *BATCH_ENDS)
"""What webhooks can be told of."""


class WebhookRequest(Frozen):
    """The body of `POST /v1/webhooks`."""

    url: Annotated[str, Field(min_length=1, max_length=2048)]
    types: Annotated[list[str], Field(min_length=1, max_length=32, default_factory=lambda: [*ENDS, *BATCH_ENDS])]
    description: Annotated[str, Field(max_length=256)] = ""
    signing: Signing = "hmac"
    batch_jobs: bool = Field(default=False, description="Be told of the jobs that a batch's lines are put into, too.")


class RotateRequest(Frozen):
    """The body of `POST /v1/webhooks/{id}/rotate-secret`."""

    grace_s: Annotated[int, Field(ge=0, le=30 * 86400)] = Field(
        default=86400, description="How long the old secret signs beside the new one; 0: not at all."
    )


class Webhook(Frozen):
    """A webhook. `failing`: attempts that failed since the last that did not; `dropped`: events that found its line full."""

    id: str
    url: str
    types: tuple[str, ...]
    description: str
    tenant: str
    created_at: str
    batch_jobs: bool = False
    disabled_at: str | None = None
    disabled_reason: str | None = None
    delivered_at: str | None = None
    rotated_at: str | None = None
    old_secret_until: str | None = None
    """Until when the secret before the newest signs, too."""
    failing: int = 0
    dropped: int = 0


class Delivery(Frozen):
    """One event on its way to one webhook. `id`: what its `webhook-id` says; `answer`: a status, or why there was none.

    `job`, `batch`: what it tells of; neither for a test.
    """

    id: str
    type: str
    job: str | None
    batch: str | None
    status: Literal["waiting", "delivered", "failed"]
    attempts: int
    answer: str | None
    created_at: str
    tried_at: str | None
    next_at: str | None
