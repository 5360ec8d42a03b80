"""Tenants in Redis: what each may use, what it uses, and the count of its requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explainery.contract.access import Policy
from explainery.settings import Settings
from explainery.store.connection import store_errors
from explainery.store.keys import key
from explainery.store.scripting import Step

if TYPE_CHECKING:
    from redis import Redis

STEPS = ("meter",)


@dataclass(frozen=True)
class Standing:
    """Where a tenant stands, one request counted.

    `allowed`: the request is not one too many; `next_s`: when one more than `left` may come. `jobs`: that have not ended;
    `open_s`: what these are estimated to take; `bytes`: stored; `spent_s`: of compute, today; `day_s`: until the day ends.
    """

    policy: Policy
    allowed: bool
    left: int
    next_s: float
    jobs: int
    bytes: int
    spent_s: float
    open_s: float
    day_s: float


class TenantStore:
    """Every method raises StoreUnavailable when Redis does not answer or refuses to write."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._settings = settings
        self._meter = Step(redis, settings, "meter")

    @store_errors()
    def set(self, tenant: str, **changes: Any) -> Policy:
        """Change fields of a tenant's policy; None: as the settings say. Gives the whole policy."""
        name = key("tenant", tenant)
        with self._redis.pipeline(transaction=True) as pipe:
            for field, value in changes.items():
                if value is None:
                    pipe.hdel(name, field)
                else:
                    pipe.hset(name, field, json.dumps(value) if field == "models" else value)
            pipe.sadd(key("tenants"), tenant)
            pipe.execute()
        return self.policy(tenant)

    @store_errors()
    def policy(self, tenant: str) -> Policy:
        """A tenant's policy: its own fields, and the settings' for the others."""
        record: Any = self._redis.hgetall(key("tenant", tenant))
        return self._policy({field.decode(): value for field, value in record.items()})

    @store_errors()
    def all(self) -> dict[str, Policy]:
        """The tenants that have a policy of their own."""
        found: Any = self._redis.smembers(key("tenants"))
        return {tenant: self.policy(tenant) for tenant in sorted(member.decode() for member in found)}

    @store_errors()
    def forget(self, tenant: str) -> bool:
        """Forget a tenant's own policy; False when it had none. Its jobs stay."""
        self._redis.delete(key("tenant", tenant))
        return bool(self._redis.srem(key("tenants"), tenant))

    @store_errors()
    def meter(self, tenant: str, key_id: str = "") -> Standing:
        """Count a request, and note that a key was used."""
        said = self._meter(tenant, self._settings.tenant_requests, key_id)
        allowed, next_us, left, jobs, stored, spent_us, open_us, day_ms, *own = said
        fields = zip(("models", "requests", "jobs", "bytes", "compute_s"), own, strict=True)
        return Standing(
            policy=self._policy({field: value for field, value in fields if value is not None}),
            allowed=bool(allowed),
            left=int(left),
            next_s=next_us / 1e6,
            jobs=int(jobs),
            bytes=int(stored),
            spent_s=spent_us / 1e6,
            open_s=open_us / 1e6,
            day_s=day_ms / 1000,
        )

    def _policy(self, own: Mapping[str, bytes]) -> Policy:
        settings = self._settings
        fields: dict[str, Any] = {
            "models": settings.tenant_models,
            "requests": settings.tenant_requests,
            "jobs": settings.tenant_jobs,
            "bytes": settings.tenant_bytes,
            "compute_s": settings.tenant_compute_s,
        }
        for field, value in own.items():
            fields[field] = tuple(json.loads(value)) if field == "models" else float(value)
        return Policy.model_validate(fields)
