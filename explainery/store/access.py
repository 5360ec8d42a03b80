"""API keys in Redis, by their public id. Who has the secret is known by its digest alone."""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from explainery.contract.access import ApiKey, Role, digest_of, id_of, new_token
from explainery.contract.errors import KeyNotFound
from explainery.store.connection import store_errors
from explainery.store.keys import key
from explainery.store.record import timestamp

if TYPE_CHECKING:
    from redis import Redis

NOBODY = "0" * 64
"""Compared with where there is no such key: it takes as long."""


class KeyStore:
    """Every method raises StoreUnavailable when Redis does not answer or refuses to write."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    @store_errors()
    def create(self, name: str, tenant: str, role: Role, ttl_s: float | None = None) -> tuple[ApiKey, str]:
        """Make a key; gives it and its text, which nobody can tell again."""
        key_id, token = new_token()
        now = _now()
        who: dict[str, Any] = {"name": name, "tenant": tenant, "role": role.value}
        record: dict[Any, Any] = {**who, "digest": digest_of(token), "created": now}
        if ttl_s is not None:
            record["expires"] = now + round(ttl_s * 1000)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(key("apikey", key_id), mapping=record)
            pipe.zadd(key("apikeys"), {key_id: now})
            pipe.execute()
        return _read(key_id, {field.encode(): str(value).encode() for field, value in record.items()}), token

    @store_errors()
    def all(self) -> list[ApiKey]:
        """The keys there are, the oldest first; those that have expired, too."""
        members: Any = self._redis.zrange(key("apikeys"), 0, -1)
        ids = [member.decode() for member in members]
        with self._redis.pipeline(transaction=False) as pipe:
            for key_id in ids:
                pipe.hgetall(key("apikey", key_id))
            return [_read(key_id, record) for key_id, record in zip(ids, pipe.execute(), strict=True) if record]

    @store_errors()
    def revoke(self, key_id: str) -> None:
        """Delete a key: from now on it opens nothing. Raises KeyNotFound."""
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(key("apikey", key_id))
            pipe.zrem(key("apikeys"), key_id)
            if not any(pipe.execute()):
                raise KeyNotFound("There is no key of that id; `explainery keys list` names those there are.")

    @store_errors()
    def find(self, token: str) -> ApiKey | None:
        """The key of that text, unless it was revoked or has expired."""
        key_id = id_of(token)
        record: Any = {} if key_id is None else self._redis.hgetall(key("apikey", key_id))
        known = record.get(b"digest", NOBODY.encode()).decode()
        if not hmac.compare_digest(known, digest_of(token)) or key_id is None:
            return None
        return None if int(record.get(b"expires", 2**62)) <= _now() else _read(key_id, record)

    @store_errors()
    def opens(self, key_id: str) -> bool:
        """Whether a key that was good is so still: it was neither revoked nor has it expired."""
        digest, expires = self._redis.hmget(key("apikey", key_id), "digest", "expires")
        return digest is not None and int(expires or 2**62) > _now()


def _now() -> int:
    return round(time.time() * 1000)


def _read(key_id: str, record: Mapping[bytes, bytes]) -> ApiKey:
    return ApiKey(
        id=key_id,
        name=record[b"name"].decode(),
        tenant=record[b"tenant"].decode(),
        role=Role(record[b"role"].decode()),
        created_at=timestamp(int(record[b"created"])),
        expires_at=_time(record, b"expires"),
        used_at=_time(record, b"used"),
    )


def _time(record: Mapping[bytes, bytes], field: bytes) -> str | None:
    return timestamp(int(record[field])) if field in record else None
