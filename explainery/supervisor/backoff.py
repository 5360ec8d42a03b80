"""How long to wait before something that died is started again. Pure: times are arguments."""

from __future__ import annotations

from dataclasses import dataclass

HEALTHY_S = 20.0
"""Whoever lived this long died of something new: the count begins again."""
FIRST_S = 0.25
LONGEST_S = 15.0


@dataclass
class Backoff:
    """Counts deaths in a row. The first restart is immediate, then waits double."""

    deaths: int = 0

    def after(self, lived_s: float) -> float:
        """Note a death after `lived_s` seconds of life; return the seconds to wait."""
        self.deaths = 1 if lived_s >= HEALTHY_S else self.deaths + 1
        if self.deaths == 1:
            return 0.0
        return min(FIRST_S * 2.0 ** min(self.deaths - 2, 16), LONGEST_S)
