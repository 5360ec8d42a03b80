"""Random draws that belong to a job: counter-based, keyed by its seed and the draw's purpose, never by a row's position.

Philox (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). The process-wide generators are not touched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.random import Generator, Philox
from numpy.typing import NDArray


def generator(seed: int, purpose: str) -> Generator:
    """A fresh generator for one purpose; the same seed and purpose give the same draws in every process."""
    return Generator(Philox(key=_key(seed, purpose)))


def gaussian(seed: int, purpose: str, index: int, shape: Sequence[int]) -> NDArray[np.float64]:
    """Standard normal draw number `index` of a purpose: the same alone or in any chunk of draws."""
    counter = np.array([0, 0, index, 0], dtype=np.uint64)  # 2**128 counter values lie between two draws: they never overlap
    return Generator(Philox(key=_key(seed, purpose), counter=counter)).standard_normal(tuple(shape))


def _key(seed: int, purpose: str) -> NDArray[np.uint64]:
    digest = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=16).digest()
    return np.frombuffer(digest, dtype="<u8").astype(np.uint64)
