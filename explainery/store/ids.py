"""Ids of jobs: ULIDs (github.com/ulid/spec), 26 characters that sort by the time they were made."""

from __future__ import annotations

import secrets
import time

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, U."""


def made_ms(ulid: str) -> int:
    """When an id was made, in milliseconds; raises ValueError for what is none."""
    number = 0
    if len(ulid) != 26:
        raise ValueError("no ULID")
    for character in ulid[:10]:
        number = number * 32 + ALPHABET.index(character)
    return number


def new_job_id() -> str:
    """A new ULID: 48 bits of milliseconds, 80 random bits."""
    number = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    return "".join(ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
