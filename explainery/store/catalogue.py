"""What the live workers offer, and which workers live."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from explainery.contract.catalogue import Offer
from explainery.contract.errors import CatalogueUnavailable
from explainery.settings import Settings
from explainery.store.connection import store_errors
from explainery.store.keys import key
from explainery.store.offers import merge
from explainery.store.scripting import Step

if TYPE_CHECKING:
    from redis import Redis

FRESH_S = 0.5
"""How long an answer of `offer` is given again without asking Redis: the API asks at every request."""


@dataclass(frozen=True)
class WorkerInfo:
    """A live worker. `resident`: models it has loaded; `memory_bytes`: what of its memory is resident."""

    id: str
    pid: int
    host: str
    device: str
    started_at: str
    resident: tuple[str, ...]
    environment: dict[str, str | None]
    memory_bytes: int = 0


_KNOWN = {field.name for field in fields(WorkerInfo)}


class CatalogueStore:
    """Published by the workers' heartbeats, read by the API. Raises StoreUnavailable when Redis does not answer."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._announce = Step(redis, settings, "announce")
        self._published: tuple[Offer, str, str] | None = None
        self._merged: tuple[tuple[str, ...], Offer] | None = None
        self._asked_at = float("-inf")
        self.device = "cpu"
        """Of the newest live worker, as `offer` last saw it."""

    @store_errors()
    def publish(self, worker: WorkerInfo, offer: Offer, groups: Sequence[str] = ()) -> None:
        """Say that a worker lives, what it offers, and of which groups it has the model in memory; good for one lease.

        An offer is sent once: while it is the same object, a heartbeat costs one short command.
        """
        if self._published is None or self._published[0] is not offer:
            text = offer.model_dump_json()
            self._published = (offer, hashlib.sha256(text.encode()).hexdigest()[:32], text)
        _, digest, text = self._published
        said = json.dumps({"worker": asdict(worker), "offer": digest})
        if not self._announce(worker.id, said, digest, "", *groups):
            self._announce(worker.id, said, digest, text, *groups)

    @store_errors()
    def withdraw(self, worker_id: str) -> None:
        """Say that a worker has left or died."""
        with self._redis.pipeline() as pipe:
            pipe.delete(key("worker", worker_id))
            pipe.zrem(key("workers"), worker_id)
            pipe.execute()

    @store_errors()
    def workers(self) -> list[WorkerInfo]:
        """The workers that live, the newest first."""
        return [info for info, _ in self._live()]

    @store_errors()
    def offer(self) -> Offer:
        """Everything that live workers offer, merged; up to half a second old.

        What was last offered when none lives, so that a restart of the workers refuses no job. Raises CatalogueUnavailable when
        no worker has lived for a day.
        """
        now = time.monotonic()
        if self._merged is None or now - self._asked_at > FRESH_S:
            self._merged = self._current()
            self._asked_at = now
        return self._merged[1]

    def _current(self) -> tuple[tuple[str, ...], Offer]:
        live = self._live()
        if live:
            self.device = live[0][0].device
        digests = tuple(dict.fromkeys(digest for _, digest in live)) or self._last()
        if self._merged is not None and self._merged[0] == digests:
            return self._merged
        texts = self._redis.mget([key("offer", digest) for digest in digests]) if digests else []
        offers = [Offer.model_validate_json(text, extra="ignore") for text in texts if text is not None]
        if not offers:
            raise CatalogueUnavailable("No worker has said what it offers yet; start one, or wait until it is up.")
        return digests, merge(offers)

    def _last(self) -> tuple[str, ...]:
        newest: Any = self._redis.zrange(key("offers"), -1, -1)
        return tuple(digest.decode() for digest in newest)

    def _live(self) -> list[tuple[WorkerInfo, str]]:
        """Live workers with the digest of their offer, the newest first (by id, of those that started in one millisecond)."""
        ids: Any = self._redis.zrange(key("workers"), 0, -1)
        texts: Any = self._redis.mget([key("worker", worker.decode()) for worker in ids]) if ids else []
        live = [_read(text) for text in texts if text is not None]
        return sorted(live, key=lambda entry: (entry[0].started_at, entry[0].id), reverse=True)


def _read(text: bytes) -> tuple[WorkerInfo, str]:
    """A worker and its offer's digest. A newer worker may say more than is known here: that is left out."""
    said = json.loads(text)
    worker = {name: value for name, value in said["worker"].items() if name in _KNOWN}
    return WorkerInfo(**{**worker, "resident": tuple(worker["resident"])}), said["offer"]
