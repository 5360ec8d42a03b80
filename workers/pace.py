"""When a job at work publishes a running estimate, and when it must end with what it knows. Pure: the clock is an argument."""

from __future__ import annotations

from dataclasses import dataclass

PARTIAL_S = 1.0
"""How long a job runs before its first running estimate, and between two."""
SPARING = 20.0
"""An estimate waits at least this many times as long as the last one took."""
LEAST_S, MOST_S, SHARE = 0.2, 5.0, 0.1
"""How long before its deadline a job is ended: a share of the time it had, within bounds, and the longest chunk twice."""


@dataclass
class Pace:
    """Of one job. Times are in seconds of one clock; `deadline_s`: None where there is none."""

    began_s: float
    deadline_s: float | None
    longest_s: float = 0.0
    """The longest chunk that it was part of."""
    _due_s: float = 0.0
    _tried_s: float = 0.0

    @property
    def margin_s(self) -> float:
        """How long before its deadline the job is ended."""
        if self.deadline_s is None:
            return 0.0
        return min(max(SHARE * (self.deadline_s - self.began_s), LEAST_S), MOST_S) + 2 * self.longest_s

    def hurries(self, now_s: float) -> bool:
        """Whether its deadline is near, and it was not just tried to end it."""
        if self.deadline_s is None or now_s < self.deadline_s - self.margin_s:
            return False
        return now_s >= self._tried_s + self.margin_s / 4

    def tried(self, now_s: float) -> None:
        """It is being tried to end the job."""
        self._tried_s = now_s

    def is_due(self, now_s: float) -> bool:
        """Whether it is time for a running estimate."""
        return now_s >= max(self._due_s, self.began_s + PARTIAL_S)

    def published(self, began_s: float, now_s: float) -> None:
        """A running estimate was made, from `began_s` to `now_s`."""
        self._due_s = now_s + max(PARTIAL_S, SPARING * (now_s - began_s))
