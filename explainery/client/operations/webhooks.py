"""Webhooks: addresses that are told of jobs."""

from __future__ import annotations

from typing import Any

from explainery.client.operations.paths import given, path
from explainery.client.steps import Steps, read, write

_WEBHOOKS = "/v1/webhooks"


def add_webhook(
    url: str, types: list[str] | None = None, *, description: str = "", signing: str = "hmac", batch_jobs: bool = False
) -> Steps[dict[str, Any]]:
    """Have an address told of jobs, by default of every end; the answer's `secret` is shown this once.

    `signing`: "hmac", or "ed25519" for a `public_key` in the secret's place. `batch_jobs`: of the jobs inside batches, too.
    """
    body = {"url": url, "description": description, "signing": signing, "batch_jobs": batch_jobs, **given(types=types)}
    return dict((yield write("POST", _WEBHOOKS, json=body)).json())


def webhooks() -> Steps[list[dict[str, Any]]]:
    """The webhooks there are, the oldest first."""
    return list((yield read(_WEBHOOKS)).json()["webhooks"])


def webhook(webhook_id: str) -> Steps[dict[str, Any]]:
    """One webhook: whether it is disabled and why, and how many attempts have failed in a row."""
    return dict((yield read(path("v1", "webhooks", webhook_id))).json())


def remove_webhook(webhook_id: str) -> Steps[None]:
    """Remove a webhook, and what waits for it."""
    yield write("DELETE", path("v1", "webhooks", webhook_id))


def rotate_webhook_secret(webhook_id: str, *, grace_s: int = 86400) -> Steps[dict[str, Any]]:
    """Give a webhook another secret, which is shown this once; the old one signs, too, for `grace_s`, 0 for not at all."""
    response = yield write("POST", path("v1", "webhooks", webhook_id, "rotate-secret"), json={"grace_s": grace_s})
    return dict(response.json())


def ping_webhook(webhook_id: str) -> Steps[dict[str, Any]]:
    """Send a test to a webhook; `webhook_deliveries` says what became of it."""
    return dict((yield write("POST", path("v1", "webhooks", webhook_id, "ping"))).json())


def webhook_deliveries(webhook_id: str, *, limit: int = 100) -> Steps[list[dict[str, Any]]]:
    """What was delivered to a webhook, what waits, and what failed, newest first."""
    response = yield read(path("v1", "webhooks", webhook_id, "deliveries"), params={"limit": limit})
    return list(response.json()["deliveries"])
