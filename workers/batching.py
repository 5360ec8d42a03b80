"""Which evaluations go into the next chunk. Pure: no model, no Redis, and the clock is an argument.

Questions of different rows and jobs share a chunk when the same kind of call answers them (forward, or forward and
backward) on inputs of the same shapes. Interactive jobs go first, then what is nearest to its end, so that a small job is
not held up by a big one that it shares the model with; whatever has waited for `PATIENCE_S` goes before all.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

PATIENCE_S = 2.0

Asker = TypeVar("Asker")


@dataclass(eq=False)
class Pending(Generic[Asker]):
    """A question that waits for its answer. `evaluations` in all, of which the first `planned` are in a chunk already."""

    asker: Asker
    question: Any
    kind: Hashable
    evaluations: int
    urgent: bool
    since_s: float
    planned: int = 0
    before: int = 0
    """Evaluations that count as left though they are not: what its row has had, where rows are to come on alike."""

    @property
    def left(self) -> int:
        """Evaluations not yet in a chunk."""
        return self.evaluations - self.planned


@dataclass(frozen=True, eq=False)
class Slice(Generic[Asker]):
    """Evaluations `start` to `stop` of a question."""

    pending: Pending[Asker]
    start: int
    stop: int


def next_chunk(waiting: Iterable[Pending[Asker]], sizes: Mapping[Hashable, int], now_s: float) -> list[Slice[Asker]]:
    """Plan the next chunk, at most `sizes[kind]` evaluations, and mark them as planned. Empty when nothing waits."""
    line = sorted((pending for pending in waiting if pending.left), key=lambda pending: _rank(pending, now_s))
    if not line:
        return []
    kind = line[0].kind
    room = sizes[kind]
    chunk: list[Slice[Asker]] = []
    for pending in line:
        if pending.kind != kind:
            continue
        take = min(room, pending.left)
        chunk.append(Slice(pending, pending.planned, pending.planned + take))
        pending.planned += take
        room -= take
        if room == 0:
            break
    return chunk


def _rank(pending: Pending[Any], now_s: float) -> tuple[bool, bool, int]:
    return (now_s - pending.since_s < PATIENCE_S, not pending.urgent, pending.left + pending.before)
