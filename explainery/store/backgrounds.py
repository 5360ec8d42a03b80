"""Background sets that are stored once and named by their digest. Each belongs to a tenant; using one keeps it longer."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

from explainery.contract.errors import BackgroundNotFound, QueueFull, QuotaExceeded
from explainery.settings import Settings
from explainery.store.connection import store_errors
from explainery.store.headroom import Headroom
from explainery.store.keys import key

if TYPE_CHECKING:
    from redis import Redis

SCHEME = "sha256:"


class Backgrounds:
    """Every method raises StoreUnavailable when Redis does not answer or refuses to write."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._ttl_s = settings.background_ttl_s
        self._headroom = Headroom(redis)

    @store_errors()
    def put(self, tenant: str, blob: bytes, most_bytes: int = 0) -> str:
        """Store a set, as safetensors; its id. Raises QueueFull when Redis has little memory left.

        `most_bytes`: what may be stored for the tenant in all, 0 for any number; past it, QuotaExceeded.
        """
        if self._headroom.exhausted():
            raise QueueFull("The memory for jobs and backgrounds is nearly full; try again later.")
        digest = hashlib.sha256(blob).hexdigest()
        if most_bytes and not self._redis.exists(_key(tenant, digest)):
            held = self.bytes_of(tenant) + int(self._redis.hget(key("stored_of"), tenant) or 0)
            if held + len(blob) > most_bytes:
                raise QuotaExceeded("Your tenant has stored as many bytes as it may; delete some of it.", "bytes", 60)
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.set(_key(tenant, digest), blob, ex=self._ttl_s)
            self._touch(pipe, tenant, digest)
            pipe.execute()
        return SCHEME + digest

    @store_errors()
    def get(self, tenant: str, background_id: str) -> bytes:
        """A tenant's set, which is kept longer by it. Raises BackgroundNotFound."""
        digest = background_id.removeprefix(SCHEME)
        found: Any = self._redis.getex(_key(tenant, digest), ex=self._ttl_s)
        if found is None:
            raise BackgroundNotFound("There is no such background, or no longer; store it again.")
        self._touch(self._redis, tenant, digest)
        return bytes(found)

    @store_errors()
    def ids(self, tenant: str) -> list[str]:
        """A tenant's sets, the last used first."""
        index = key("backgrounds", tenant)
        self._redis.zremrangebyscore(index, "-inf", (time.time() - self._ttl_s) * 1000)
        found: Any = self._redis.zrevrange(index, 0, -1)
        return [SCHEME + digest.decode() for digest in found]

    @store_errors()
    def bytes_of(self, tenant: str) -> int:
        """How many bytes a tenant's sets have."""
        digests = [each.removeprefix(SCHEME) for each in self.ids(tenant)]
        with self._redis.pipeline(transaction=False) as pipe:
            for digest in digests:
                pipe.strlen(_key(tenant, digest))
            return sum(map(int, pipe.execute()))

    @store_errors()
    def forget(self, tenant: str, background_id: str) -> None:
        """Delete a tenant's set; jobs that use it have their own copy. Raises BackgroundNotFound."""
        digest = background_id.removeprefix(SCHEME)
        self._redis.zrem(key("backgrounds", tenant), digest)
        if not self._redis.delete(_key(tenant, digest)):
            raise BackgroundNotFound("There is no such background, or no longer.")

    def _touch(self, redis: Any, tenant: str, digest: str) -> None:
        redis.zadd(key("backgrounds", tenant), {digest: round(time.time() * 1000)})
        redis.expire(key("backgrounds", tenant), self._ttl_s)


def _key(tenant: str, digest: str) -> str:
    return key("background", f"{tenant}:{digest}")
