"""What lies beside a job's record for a while: its running estimate, and its rows' answers for whoever refines it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from explainery.settings import Settings
from explainery.store.connection import store_errors
from explainery.store.keys import key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis import Redis

PARTIAL_S = 60
"""How long a running estimate is kept after it was published last."""


class Beside:
    """Every method raises StoreUnavailable when Redis does not answer or refuses to write."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._answers_s = settings.refine_ttl_s

    @store_errors()
    def publish(self, partials: Mapping[str, bytes]) -> None:
        """Publish running estimates by job id, each in place of the last."""
        if not partials:
            return
        with self._redis.pipeline(transaction=False) as pipe:
            for job_id, partial in partials.items():
                pipe.set(key("partial", job_id), partial, ex=PARTIAL_S)
            pipe.execute()

    @store_errors()
    def partial(self, job_id: str) -> bytes | None:
        """A job's running estimate."""
        found: Any = self._redis.get(key("partial", job_id))
        return None if found is None else bytes(found)

    @store_errors()
    def keep_answers(self, job_id: str, answers: bytes) -> None:
        """Keep what a job's rows were answered, as long as it may be refined."""
        self._redis.set(key("answers", job_id), answers, ex=self._answers_s)

    @store_errors()
    def answers(self, job_id: str) -> bytes | None:
        """What a job's rows were answered, or those of the job whose result it shares; None when that is no longer kept."""
        owner: Any = self._redis.hget(key("job", job_id), "result_of")
        found: Any = self._redis.get(key("answers", job_id if owner is None else owner.decode()))
        return None if found is None else bytes(found)
