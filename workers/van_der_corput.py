"""The van der Corput sequence in base 2 with nested uniform scrambling (Owen, "Randomly permuted (t,m,s)-nets", 1995).

Any 2^k numbers that follow each other from a multiple of 2^k fall into different ones of 2^k equal parts of (0, 1), each
uniformly distributed there; the sequence has no end, so more of it keeps what there was.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workers.draws import generator
from workers.questions import Floats

DIGITS = 32


def plain(place: int) -> float:
    """The number of the sequence at a place, unscrambled: its binary digits in reverse behind the point, in [0, 1)."""
    return int(f"{place:b}"[::-1], 2) / float(2 ** max(place.bit_length(), 1))


def scrambled(places: NDArray[np.int64], seed: int, purpose: str) -> Floats:
    """Numbers of the sequence in (0, 1), by their places in it."""
    key = generator(seed, purpose).integers(0, 2**64, dtype=np.uint64)
    left = places.astype(np.uint64)
    seen = np.ones(len(places), dtype=np.uint64)  # a one, then the digits so far: what decides whether the next is flipped
    found = np.zeros(len(places), dtype=np.uint64)
    for _ in range(DIGITS):
        digit, left = left & np.uint64(1), left >> np.uint64(1)
        found = (found << np.uint64(1)) | (digit ^ (_mixed(seen ^ key) >> np.uint64(63)))
        seen = (seen << np.uint64(1)) | digit
    return (found.astype(np.float64) + 0.5) / 2.0**DIGITS


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Every bit of the answer depends on every bit of the number (splitmix64; Steele, Lea & Flood, 2014)."""
    numbers = numbers * np.uint64(0x9E3779B97F4A7C15)  # wraps
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
