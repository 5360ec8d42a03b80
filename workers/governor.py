"""Chunk sizes: measured on the work itself, remembered, halved on out-of-memory.

For each kind of call the governor climbs from a small first guess by powers of two: at once while a chunk takes next to no
time, then towards the higher rate, comparing a size with half and twice of it. A larger chunk takes more memory and holds up
progress, so it must pay for itself. Now and then a neighbour is looked at again, because machines change under load. Nothing
is called for the sake of measuring only.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

FIRST_ELEMENTS = 2**19
"""Most numbers in the first guess's inputs: a few pictures."""
FIRST_POINTS = 8
"""A model nobody has timed yet may be slow: the first chunk is small, so that its end comes soon."""
CPU_ELEMENTS = 2**16
CPU_POINTS = 16
"""Most numbers in a chunk on a CPU, where larger ones gain little speed and cost memory; but at least CPU_POINTS points."""
GPU_ELEMENTS = 2**26
"""The same on a GPU, which large chunks keep busy; memory running out teaches the rest."""
MOST_POINTS = 2**13
SHORT_S = 0.005
"""A chunk that takes less is mostly overhead: the next one is twice as large."""
LONGEST_S = 1.0
"""No chunk is to take longer: progress, cancel and deadlines are looked at between chunks."""
TRIALS = 2
"""Chunks before a size is judged, by the better of them: the first call of a shape pays for setting up."""
WEIGHT = 0.3
"""Of a new measurement against what was known."""
PRICE = 0.97
"""What each doubling costs: it must be 3 % faster to be worth its memory."""
GAIN = 1.03
"""How much better a neighbour must be to move there."""
REVISIT = 64


@dataclass
class _Climb:
    """What was measured for one kind of call. `size` is asked for next, `home` is the best known so far."""

    size: int
    most: int
    home: int = 0
    chunks: int = 0
    rates: dict[int, float] = field(default_factory=dict)
    """Size -> points per second."""
    trials: dict[int, int] = field(default_factory=dict)

    def note(self, rate: float) -> None:
        """Learn the rate of a chunk of the current size."""
        known, trials = self.rates.get(self.size, rate), self.trials.get(self.size, 0)
        self.rates[self.size] = max(known, rate) if trials < TRIALS else known + WEIGHT * (rate - known)
        self.trials[self.size] = trials + 1

    def worth(self, size: int) -> float:
        """The rate of a size, less its price."""
        return float(self.rates[size] * PRICE ** (size.bit_length() - 1))

    def judged(self, size: int) -> bool:
        """Whether a size has been tried often enough."""
        return self.trials.get(size, 0) >= TRIALS

    def neighbours(self) -> Iterator[int]:
        """Twice and half of home, where they may be asked for."""
        longest = LONGEST_S * self.rates[self.home]
        if self.home * 2 <= min(self.most, longest):
            yield self.home * 2
        if self.home > 1:
            yield self.home // 2


class Governor:
    """Says how large a chunk may be, and learns from how each one went."""

    def __init__(self, device: str = "cpu") -> None:
        self._most_elements = CPU_ELEMENTS if device == "cpu" else GPU_ELEMENTS
        self._climbs: dict[Hashable, _Climb] = {}

    def size(self, kind: Hashable, elements: int) -> int:
        """Points in the next chunk of this kind, whose points have so many elements each."""
        if kind not in self._climbs:
            most = max(CPU_POINTS, min(MOST_POINTS, self._most_elements // elements))
            guess = max(1, min(FIRST_POINTS, FIRST_ELEMENTS // elements))
            self._climbs[kind] = _Climb(_power_of_two(guess), _power_of_two(most))
        return self._climbs[kind].size

    def went(self, kind: Hashable, points: int, seconds: float) -> None:
        """Learn from a chunk. Only full ones say anything about their size."""
        climb = self._climbs[kind]
        if points != climb.size:
            return
        if not climb.rates and seconds < SHORT_S and points * 2 <= climb.most:
            climb.size *= 2
            return
        climb.note(points / max(seconds, 1e-9))
        if climb.judged(points):
            climb.size = _next_size(climb)

    def exhausted(self, kind: Hashable, points: int) -> bool:
        """Memory ran out with so many points: never ask for more than half again. False when a single point does not fit."""
        climb = self._climbs[kind]
        climb.most = climb.size = climb.home = _power_of_two(max(1, points // 2))
        climb.rates, climb.trials = {}, {}
        return points > 1


def _next_size(climb: _Climb) -> int:
    """Home, once it is better than its neighbours; a neighbour while that is not known, and now and then to look again."""
    judged = [size for size in climb.rates if climb.judged(size)]
    best = max(judged, key=climb.worth)
    if climb.home not in judged or climb.worth(best) > climb.worth(climb.home) * GAIN:
        climb.home = best
    neighbours = list(climb.neighbours())
    for size in neighbours:
        if not climb.judged(size):
            return size
    climb.chunks += 1
    if neighbours and climb.chunks % REVISIT == 0:
        return neighbours[climb.chunks // REVISIT % len(neighbours)]
    return climb.home


def _power_of_two(size: int) -> int:
    return 1 << (size.bit_length() - 1)
