"""The `Prefer` header (RFC 7240): how long a client wants to wait."""

from __future__ import annotations

import re
from dataclasses import dataclass

PARTS = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*"?)+', re.DOTALL)
"""Between commas, of which a quoted string may hold some."""
WAIT = re.compile(r'\s*wait\s*=\s*"?(\d{1,9}(?:\.\d{1,9})?)"?\s*(?:;.*)?', re.IGNORECASE | re.DOTALL)
RESPOND_ASYNC = re.compile(r"\s*respond-async\s*(?:;.*)?", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Preference:
    """`wait_s`: how long to hold the answer. `applied`: the Preference-Applied header, None when nothing was asked."""

    wait_s: float = 0.0
    applied: str | None = None

    @property
    def waits(self) -> bool:
        """Whether `wait` was asked."""
        return "wait=" in (self.applied or "")

    @property
    def responds_async(self) -> bool:
        """Whether `respond-async` was asked."""
        return "respond-async" in (self.applied or "")

    @property
    def looks(self) -> str | None:
        """The Preference-Applied header of a look at a job, where `respond-async` means nothing."""
        return f"wait={self.wait_s:g}" if self.waits else None


def read_preference(header: str | None, max_wait_s: float) -> Preference:
    """What a `Prefer` header asks of us, at most `max_wait_s`. What is unknown or malformed is ignored, as the RFC says."""
    if not header:
        return Preference()
    parts = PARTS.findall(header)
    wait = next((match for match in map(WAIT.fullmatch, parts) if match), None)
    applied = ["respond-async"] if any(map(RESPOND_ASYNC.fullmatch, parts)) else []
    wait_s = min(float(wait[1]), max_wait_s) if wait else 0.0
    if wait:
        applied.append(f"wait={wait_s:g}")
    return Preference(wait_s, ", ".join(applied) or None)
