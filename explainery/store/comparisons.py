"""Comparisons: which jobs belong together. They live as long as these, and answer 410 afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from explainery.contract.comparison import Comparison
from explainery.contract.errors import ComparisonGone, ComparisonNotFound
from explainery.settings import Settings
from explainery.store.connection import store_errors
from explainery.store.keys import key

if TYPE_CHECKING:
    from redis import Redis

GONE = "gone "
"""What stands in the place of a comparison that was deleted, before its tenant."""


class ComparisonStore:
    """Comparisons by id. Raises StoreUnavailable when Redis does not answer."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._ttl_s = settings.tombstone_ttl_s

    @store_errors()
    def keep(self, comparison: Comparison) -> None:
        """Keep a comparison, as long as the ids of its jobs are remembered."""
        self._redis.set(key("comparison", comparison.id), comparison.model_dump_json(), ex=self._ttl_s)

    @store_errors()
    def get(self, tenant: str, comparison_id: str) -> Comparison:
        """One of a tenant's comparisons. Raises ComparisonNotFound, ComparisonGone."""
        text: Any = self._redis.get(key("comparison", comparison_id))
        if text == f"{GONE}{tenant}".encode():
            raise ComparisonGone("The comparison existed, but was deleted.")
        found = None if text is None or text.startswith(GONE.encode()) else Comparison.model_validate_json(text, extra="ignore")
        if found is None or found.tenant != tenant:
            raise ComparisonNotFound("There is no comparison of that id.")
        return found

    @store_errors()
    def forget(self, comparison: Comparison) -> None:
        """Forget a comparison; its id answers 410 from now on."""
        self._redis.set(key("comparison", comparison.id), f"{GONE}{comparison.tenant}", ex=self._ttl_s)
