"""Whether Redis has memory left for new work. Asked before it is full, so that what is already in can still finish."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis import Redis

FULL = 0.75
"""Share of `maxmemory` past which no job is admitted: results and the rewrite of the log need the rest."""
FRESH_S = 1.0


class Headroom:
    """Memory in use against `maxmemory`, looked up once a second at most. Always enough where no limit is set."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._full = False
        self._asked_at = float("-inf")

    def exhausted(self) -> bool:
        """Whether new work must be refused."""
        if time.monotonic() - self._asked_at > FRESH_S:
            memory = self._redis.info("memory")
            self._full = 0 < memory["maxmemory"] * FULL < memory["used_memory"]
            self._asked_at = time.monotonic()
        return self._full
