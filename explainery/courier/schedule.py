"""When a delivery that failed is tried again. Pure."""

from __future__ import annotations

from collections.abc import Sequence

JITTER = 0.2
"""Share by which a pause varies, so that what failed together does not come back together."""
LONGEST_S = 86400.0


def pause_after(attempts: int, pauses_s: Sequence[float], asked_s: float, chance: float) -> float | None:
    """Seconds until the next attempt after `attempts`, None when there is none.

    `asked_s`: what the target asked for by `Retry-After`, heeded where it is longer; `chance`: from 0 to 1.
    """
    if attempts > len(pauses_s):
        return None
    pause_s = pauses_s[attempts - 1] * (1 + JITTER * (2 * chance - 1))
    return max(pause_s, min(asked_s, LONGEST_S))
