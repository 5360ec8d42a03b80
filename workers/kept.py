"""What is kept in memory within bounds: the least recently used leaves first. Pure: footprints are given, not measured."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

from workers.footprint import Footprint

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """Values by key with their footprints, at most `most` of them and within `bound` together."""

    def __init__(self, most: int, bound: Footprint) -> None:
        self._most = most
        self._bound = bound
        self._values: OrderedDict[K, tuple[V, Footprint]] = OrderedDict()

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[K]:
        """The least recently used first."""
        return iter(tuple(self._values))

    @property
    def total(self) -> Footprint:
        """Of everything that is kept."""
        return sum((footprint for _, footprint in self._values.values()), Footprint())

    def use(self, key: K) -> V:
        """The value, which is the most recently used one now. Raises KeyError."""
        self._values.move_to_end(key)
        return self._values[key][0]

    def keep(self, key: K, value: V, footprint: Footprint) -> None:
        """Keep a value, and let others go until all fit. It stays itself, however large."""
        self._values[key] = value, footprint
        self._values.move_to_end(key)
        self._shrink(lambda: len(self._values) > self._most or not self.total.within(self._bound), least=1)

    def make_room(self, need: Footprint) -> bool:
        """Let values go until another of that size fits beside the rest; gives whether any went."""
        return self._shrink(lambda: len(self._values) >= self._most or not (self.total + need).within(self._bound), least=0)

    def drop(self, unwanted: Callable[[K], bool]) -> bool:
        """Let those go that are not wanted; gives whether any went."""
        gone = [key for key in self._values if unwanted(key)]
        for key in gone:
            del self._values[key]
        return bool(gone)

    def _shrink(self, too_much: Callable[[], bool], least: int) -> bool:
        before = len(self._values)
        while len(self._values) > least and too_much():
            self._values.popitem(last=False)
        return len(self._values) < before
