"""Webhooks and their deliveries in Redis: added and looked at by the API, carried out by the courier."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explainery.contract.errors import TooManyWebhooks, WebhookNotFound
from explainery.contract.events import FAMILY, PING, JobEvent, rfc3339
from explainery.contract.signatures import new_key
from explainery.contract.webhooks import Delivery, Webhook, WebhookRequest
from explainery.settings import Settings
from explainery.store.connection import store_errors
from explainery.store.ids import new_job_id
from explainery.store.keys import key
from explainery.store.scripting import Step

if TYPE_CHECKING:
    from redis import Redis

STEPS = ("hook", "unhook", "ping", "spread", "lease", "settle")
MOST_WAITING = 10_000
"""Deliveries that may wait for one webhook."""
SHOWN = 1000
"""Deliveries of one webhook that can be looked at."""


@dataclass(frozen=True)
class Errand:
    """A delivery to be made now. `event`: what is told, None for a test; `attempts`: this one counted."""

    hook: str
    id: str
    url: str
    secret: str
    failing: int
    type: str
    event: JobEvent | None
    at_ms: int
    attempts: int


class WebhookStore:
    """Every method raises StoreUnavailable when Redis does not answer."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._most = settings.webhooks
        self._steps = {name: Step(redis, settings, name) for name in STEPS}

    # --- the API's side

    @store_errors()
    def add(self, tenant: str, asked: WebhookRequest) -> tuple[Webhook, str]:
        """Add a webhook; gives it and its secret, which is told this once. Raises TooManyWebhooks."""
        hook, secret = f"wh_{new_job_id()}", new_key(asked.signing)
        about = (asked.url, f" {' '.join(dict.fromkeys(asked.types))} ", asked.description, secret)
        if not self._steps["hook"](hook, tenant, self._most, *about):
            raise TooManyWebhooks(f"A tenant may have {self._most} webhooks (EXPLAINERY_WEBHOOKS); remove one first.")
        return self.get(tenant, hook), secret

    @store_errors()
    def get(self, tenant: str, hook: str) -> Webhook:
        """One of a tenant's webhooks. Raises WebhookNotFound."""
        record: Any = self._redis.hgetall(key("hook", hook))
        if not record or record[b"tenant"].decode() != tenant:
            raise WebhookNotFound("There is no webhook of that id.")
        return _webhook(hook, record)

    @store_errors()
    def all(self, tenant: str) -> list[Webhook]:
        """A tenant's webhooks, the oldest first."""
        hooks: Any = self._redis.zrange(key("hooks", tenant), 0, -1)
        records = self._records("hook", [hook.decode() for hook in hooks])
        return [_webhook(hook, record) for hook, record in records]

    @store_errors()
    def remove(self, tenant: str, hook: str) -> None:
        """Remove a webhook and what waits for it. Raises WebhookNotFound."""
        if not self._steps["unhook"](hook, tenant):
            raise WebhookNotFound("There is no webhook of that id.")

    @store_errors()
    def deliveries(self, tenant: str, hook: str, limit: int) -> list[Delivery]:
        """The newest deliveries. Raises WebhookNotFound."""
        self.get(tenant, hook)
        posts: Any = self._redis.zrevrange(key("posted", hook), 0, limit - 1)
        records = self._records("post", [f"{hook}/{post.decode()}" for post in posts])
        return [_delivery(name.partition("/")[2], record) for name, record in records]

    @store_errors()
    def ping(self, tenant: str, hook: str) -> Delivery:
        """Put a test into a webhook's line, disabled or not. Raises WebhookNotFound, TooManyWebhooks when it is full."""
        self.get(tenant, hook)
        post = f"msg_{secrets.token_hex(16)}"
        if not self._steps["ping"](hook, post, PING, MOST_WAITING, SHOWN):
            raise TooManyWebhooks("As many deliveries wait for this webhook as may wait; test it when some have been made.")
        ((_, record),) = self._records("post", [f"{hook}/{post}"])
        return _delivery(post, record)

    # --- the courier's side

    @store_errors()
    def wait(self, block_ms: int) -> None:
        """Wait until something happened that webhooks may be told of, or time is up."""
        self._redis.xread({key("outbox"): "0-0"}, count=1, block=block_ms)

    @store_errors()
    def spread(self, most: int) -> int:
        """Make deliveries out of what happened; how many events that were."""
        return int(self._steps["spread"](most, MOST_WAITING, SHOWN, f"{FAMILY}."))

    @store_errors()
    def lease(self, most: int, each: int, lease_s: float, busy: Iterable[str]) -> list[Errand]:
        """Take deliveries that are due, `each` of one webhook at most, none of those that are busy."""
        return [_errand(row) for row in self._steps["lease"](most, each, round(lease_s * 1000), *busy)]

    @store_errors()
    def settle(self, errand: Errand, outcome: str, answer: str, pause_s: float | None = None) -> None:
        """Note what became of an attempt; `scripts/settle.lua` lists the outcomes."""
        pause_ms = "" if pause_s is None else round(pause_s * 1000)
        self._steps["settle"](errand.hook, errand.id, outcome, answer, pause_ms)

    def _records(self, kind: str, names: list[str]) -> list[tuple[str, Mapping[bytes, bytes]]]:
        with self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hgetall(key(kind, name))
            return [(name, record) for name, record in zip(names, pipe.execute(), strict=True) if record]


def _errand(row: list[Any]) -> Errand:
    hook, post, url, secret, failing, kind, job, state, revision, at_ms = (part.decode() for part in row[:10])
    event = JobEvent(id=None, job=job, what=state, revision=int(revision), at_ms=int(at_ms)) if job else None
    return Errand(hook, post, url, secret, int(failing), kind, event, int(at_ms), int(row[10]))


def _webhook(hook: str, record: Mapping[bytes, bytes]) -> Webhook:
    return Webhook(
        id=hook,
        url=record[b"url"].decode(),
        types=tuple(record[b"types"].decode().split()),
        description=record[b"description"].decode(),
        tenant=record[b"tenant"].decode(),
        created_at=rfc3339(int(record[b"created"])),
        disabled_at=_time(record, b"disabled"),
        disabled_reason=_text(record, b"reason"),
        delivered_at=_time(record, b"delivered"),
        failing=int(record.get(b"failing", 0)),
        dropped=int(record.get(b"dropped", 0)),
    )


def _delivery(post: str, record: Mapping[bytes, bytes]) -> Delivery:
    status: Any = record[b"status"].decode()
    return Delivery(
        id=post,
        type=record[b"type"].decode(),
        job=_text(record, b"job"),
        status=status,
        attempts=int(record[b"attempts"]),
        answer=_text(record, b"answer"),
        created_at=rfc3339(int(record[b"created"])),
        tried_at=_time(record, b"tried"),
        next_at=_time(record, b"next"),
    )


def _time(record: Mapping[bytes, bytes], field: bytes) -> str | None:
    return rfc3339(int(record[field])) if field in record else None


def _text(record: Mapping[bytes, bytes], field: bytes) -> str | None:
    return record[field].decode() or None if field in record else None
