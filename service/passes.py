"""Whether what a caller was let in with is still good: asked while an answer is held, or a stream is open."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from explainery.contract.errors import StoreUnavailable, Unauthenticated
from explainery.store.access import KeyStore

LOOK_S = 1.0
"""How often a key is looked at, however many streams and polls it has open in this process."""
MOST = 10_000
"""Keys whose last look is kept."""


@dataclass(frozen=True)
class Pass:
    """What a caller was let in with: the id of an API key, or a token. `ends_s`: when a token is over, as Unix time."""

    key_id: str | None
    ends_s: float = float("inf")


class Passes:
    """One per process; threads may share it."""

    def __init__(self, keys: KeyStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys = keys
        self._clock = clock
        self._looks: dict[str, tuple[float, bool]] = {}
        self._silent_until = float("-inf")

    def good(self, shown: Pass | None) -> bool:
        """Whether it opens anything still, as of a second ago at most; None: nobody was asked. Raises StoreUnavailable."""
        if shown is None:
            return True
        if shown.key_id is None:
            return time.time() < shown.ends_s
        now = self._clock()
        looked_at, was_good = self._looks.get(shown.key_id, (float("-inf"), True))
        if not was_good or now - looked_at < LOOK_S:
            return was_good
        return self._look(shown.key_id, now)

    def check(self, shown: Pass | None) -> None:
        """Raise Unauthenticated when it is not good any more, StoreUnavailable."""
        if not self.good(shown):
            raise Unauthenticated(
                "Your key or token was revoked or has expired while this request waited; show another one.", given=True
            )

    def _look(self, key_id: str, now: float) -> bool:
        if now < self._silent_until:  # who asks for many keys must not wait for Redis for each
            raise StoreUnavailable("Redis does not answer; try again soon.")
        try:
            good = self._keys.opens(key_id)
        except StoreUnavailable:
            self._silent_until = now + LOOK_S
            raise
        if len(self._looks) >= MOST:
            self._looks.clear()
        self._looks[key_id] = (now, good)
        return good
