"""What trials of model files have shown: published by digest and kind of worker, so that a file is tried once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from explainery.contract.catalogue import Verdict
from explainery.settings import Settings
from explainery.store.connection import store_errors
from explainery.store.keys import key

if TYPE_CHECKING:
    from redis import Redis

REFUSED_S = 3600
"""Longest a refusal is believed: a machine that was too busy, or a factory that was missing, may be better by then."""


class VerdictStore:
    """Verdicts of one kind of worker. Raises StoreUnavailable when Redis does not answer."""

    def __init__(self, redis: Redis, settings: Settings, kind: str, worker: str) -> None:
        self._redis = redis
        self._ttl_s = settings.trial_ttl_s
        self._kind = kind
        self._worker = worker

    @store_errors()
    def find(self, digests: Sequence[str]) -> dict[str, Verdict]:
        """What is known of these files, by digest."""
        texts: Any = self._redis.mget([self._key("verdict", digest) for digest in digests]) if digests else []
        return {
            digest: Verdict.model_validate_json(text, extra="ignore")
            for digest, text in zip(digests, texts, strict=True)
            if text is not None
        }

    @store_errors()
    def publish(self, digest: str, verdict: Verdict) -> None:
        """Say what a trial has shown."""
        ttl_s = self._ttl_s if verdict.refused is None else min(self._ttl_s, REFUSED_S)
        self._redis.set(self._key("verdict", digest), verdict.model_dump_json(), ex=ttl_s)

    @store_errors()
    def begin(self, digest: str, lease_s: float) -> bool:
        """Say that this worker tries these files; False when another does at this moment."""
        return bool(self._redis.set(self._key("trying", digest), self._worker, nx=True, px=int(lease_s * 1000)))

    @store_errors()
    def end(self, digest: str) -> None:
        """Say that this worker's trial is over."""
        self._redis.delete(self._key("trying", digest))

    def _key(self, what: str, digest: str) -> str:
        return key(what, f"{digest}:{self._kind}")
