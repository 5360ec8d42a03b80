"""The search for the nearest rows with another outcome: few features changed, then little, several that differ.

A beam goes from one changed feature to two, to three, so that what it finds first changes the fewest. Where it finds nothing,
rows of the data that have the outcome, and random ones, are the start, and features are put back. Each row found is
then drawn towards the instance as far as its outcome lasts. Predictions are all that is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from workers.actions import Unit
from workers.draws import generator
from workers.outcomes import Goal
from workers.questions import Floats
from workers.table import Asking

MOST_POINTS = 2048
"""Asked about at a time, by one row."""
BEAM = 6
"""Sets of changed features that are gone on with."""
LEAST_CHOICES = 4
"""Values of each feature that are tried beside others, however many features there are."""
LINE = 16
"""Points on the way back to the instance, twice."""
NEAR = 256
"""Rows of the data that are tried as a start, the nearest; and twice as many random ones."""
BEAMS_KEEP, AFAR_KEEPS = 0.5, 0.25
"""Of the budget: what a beam leaves to those that come after it, and what is left for what was found."""
Set = frozenset[int]


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """A row with another outcome. `changed`: the units that differ, by number. `cost`: what their changes cost together."""

    point: Floats
    changed: Set
    cost: float
    outputs: Floats | None = None
    """[output columns], as the model answered when it was asked about the very row at the end."""


@dataclass(frozen=True, eq=False)
class Hunt:
    """What a search came to. `before`: the instance's outputs. `already`: it has the outcome as it is."""

    before: Floats
    found: tuple[Counterfactual, ...] = ()
    already: bool = False
    calls: int = 0


@dataclass(eq=False)
class Hunter:
    """One row's search. `left`: calls it may still make. `aim`: from the instance's outputs to what is wanted.

    `data`, `said`: rows that stand for the data, and their outputs.
    """

    x: Floats
    units: Sequence[Unit]
    aim: Callable[[Floats], Goal]
    share: float
    count: int
    left: int
    data: Floats
    said: Floats
    goal: Goal = field(init=False)
    need: float = 0.0

    def hunt(self) -> Asking[Hunt]:
        """Find at most `count`; none that the model did not confirm on exactly its values."""
        budget = self.left
        before = yield self.x[None]
        self.left -= 1
        self.goal = self.aim(before)
        self.need = self.goal.need(before, self.share)
        if self.goal.gap(before)[0] >= self.need:
            return Hunt(before[0], already=True, calls=1)
        self.left -= self.count  # the last look at each
        starts = yield from self._starts(budget)
        drawn: list[Counterfactual] = []
        for start in starts:
            nearer = yield from self._drawn(start)
            if all((nearer.point != other.point).any() for other in drawn):
                drawn.append(nearer)
        found = yield from self._confirmed(sorted(drawn, key=_worth))
        return Hunt(before[0], found, calls=budget - self.left - self.count + len(drawn))

    def _starts(self, budget: int) -> Asking[list[Counterfactual]]:
        """Rows with the outcome, of different changed features as far as there are some."""
        banned: Set = frozenset()
        chosen: list[Counterfactual] = []
        for _ in range(2 * self.count):
            found = yield from self._beam(banned, int(BEAMS_KEEP * budget))
            if not found and not chosen:
                found = yield from self._from_afar(int(AFAR_KEEPS * budget))
            for each in _different(found, chosen, self.count):
                chosen.append(each)
            if len(chosen) >= self.count or not found:
                break
            banned |= {max(chosen[-1].changed, key=lambda unit: sum(unit in each.changed for each in chosen))}
        if chosen and len(chosen) < self.count:
            chosen += yield from self._more_of(chosen, int(AFAR_KEEPS * budget))
        return chosen[: self.count]

    def _beam(self, banned: Set, keep: int) -> Asking[list[Counterfactual]]:
        """Change one feature, two, three: the first that have the outcome, the nearest of each set of features."""
        states: list[tuple[Floats, Set]] = [(self.x, frozenset())]
        free = [number for number in range(len(self.units)) if number not in banned]
        for _ in free:
            points, sets = self._children(states, free, min(MOST_POINTS, self.left - keep))
            if not sets:
                return []
            gaps = yield from self._ask(points)
            if (gaps >= self.need).any():
                return _nearest_of_sets(
                    self._made(point, of) for point, of, gap in zip(points, sets, gaps, strict=True) if gap >= self.need
                )
            states = _best(points, sets, gaps)
        return []

    def _children(self, states: list[tuple[Floats, Set]], free: list[int], most: int) -> tuple[Floats, list[Set]]:
        """Each state with one more feature changed, to each of its values, as many as there is room for."""
        states = states[: max(1, most // (LEAST_CHOICES * max(1, len(free))))]
        moves = [(state, of, number) for state, of in states for number in free if number not in of]
        if not moves or most < 1:
            return np.zeros((0, len(self.x))), []
        points, sets = [], []
        for state, of, number in moves[:most]:
            unit = self.units[number]
            values = unit.choices(max(1, most // len(moves)))
            made = np.repeat(state[None], len(values), axis=0)
            made[:, unit.columns] = values
            points.append(made)
            sets += [of | {number}] * len(values)
        return np.concatenate(points)[:most], sets[:most]

    def _from_afar(self, keep: int) -> Asking[list[Counterfactual]]:
        """Start from rows of the data that have the outcome, and from random ones, and put features back."""
        natives = self.data[self.goal.gap(self.said) >= self.need]
        points = np.concatenate([self._like(natives), self._random(2 * NEAR)])
        points = points[: max(0, self.left - keep)]
        if not len(points):
            return []
        gaps = yield from self._ask(points)
        good = sorted(
            (self._made(point) for point, gap in zip(points, gaps, strict=True) if gap >= self.need), key=lambda each: each.cost
        )
        found = []
        for each in good[: 2 * self.count]:
            found.append((yield from self._put_back(each)))
        return _nearest_of_sets(found)

    def _like(self, rows: Floats) -> Floats:
        """The instance with its units as they are in these rows, as far as they may change; the nearest."""
        points = np.repeat(self.x[None], len(rows), axis=0)
        for unit in self.units:
            points[:, unit.columns] = unit.taken_from(rows)
        return points[np.argsort(self._costs(points), kind="stable")[:NEAR]]

    def _random(self, count: int) -> Floats:
        """Rows of any allowed values, of which a quarter, half or all of the features change: the same in every job."""
        rng = generator(0, "counterfactual")
        points = np.repeat(self.x[None], count, axis=0)
        share = rng.choice([0.25, 0.5, 1.0], count)
        for unit in self.units:
            moved = rng.random(count) < share
            drawn = unit.values[rng.integers(len(unit.values), size=count)]
            points[:, unit.columns] = np.where(moved[:, None], drawn, points[:, unit.columns])
        return points

    def _more_of(self, chosen: Sequence[Counterfactual], keep: int) -> Asking[list[Counterfactual]]:
        """Other rows of the sets of features that are known: each unit's other values, far from those chosen."""
        points = []
        for each in chosen:
            for number in sorted(each.changed):
                made = np.repeat(each.point[None], len(self.units[number].values), axis=0)
                made[:, self.units[number].columns] = self.units[number].values
                points.append(made)
        asked = np.concatenate(points)[: max(0, min(MOST_POINTS, self.left - keep))]
        if not len(asked):
            return []
        gaps = yield from self._ask(asked)
        good = [self._made(point) for point in asked[gaps >= self.need]]
        more: list[Counterfactual] = []
        while good and len(chosen) + len(more) < self.count:
            known = [*chosen, *more]
            good = [each for each in good if all(self._apart(each, other) for other in known)]
            if good:
                more.append(min(good, key=_worth))
        return more

    def _apart(self, one: Counterfactual, other: Counterfactual) -> bool:
        """Whether two differ in which features they change, or in the way that one of them goes, or in a category."""
        if one.changed != other.changed:
            return not one.changed > other.changed
        for unit in (self.units[number] for number in one.changed):
            a, b = one.point[unit.columns], other.point[unit.columns]
            if (np.sign(a - unit.now) != np.sign(b - unit.now)).any() if unit.numbers else (a != b).any():
                return True
        return False

    def _drawn(self, start: Counterfactual) -> Asking[Counterfactual]:
        """As near to the instance as the outcome lasts: features put back, then each number along its line, twice."""
        each = yield from self._put_back(start)
        numbers = [number for number in each.changed if self.units[number].numbers is not None]
        for number in sorted(numbers, key=lambda n: -float(self.units[n].cost(each.point[None])[0])):
            near = float(self.units[number].now[0])
            for _ in range(2):
                each, near = yield from self._along(each, number, near)
        return self._made(each.point)

    def _along(self, each: Counterfactual, number: int, near: float) -> Asking[tuple[Counterfactual, float]]:
        """Move one number towards `near`, where the outcome does not last; say where it was still lost."""
        unit = self.units[number]
        column = int(unit.columns[0])
        assert unit.numbers is not None  # noqa: S101  # the caller has looked
        far = float(each.point[column])
        values = unit.numbers.snapped(np.linspace(near, far, LINE + 2)[1:-1])
        values = np.array([value for value in dict.fromkeys(values.tolist()) if value not in (near, far)])
        values = values[: max(0, self.left)]
        if not len(values):
            return each, near
        points = np.repeat(each.point[None], len(values), axis=0)
        points[:, column] = values
        gaps = yield from self._ask(points)
        lasting = np.flatnonzero(gaps >= self.need)
        if not len(lasting):
            return each, float(values[-1])
        first = int(lasting[0])
        return self._made(points[first]), float(values[first - 1]) if first else near

    def _put_back(self, each: Counterfactual) -> Asking[Counterfactual]:
        """Give features their values back, one after the other, while the outcome lasts."""
        while 1 < len(each.changed) <= self.left:
            order = sorted(each.changed)
            points = np.repeat(each.point[None], len(order), axis=0)
            for place, number in enumerate(order):
                points[place, self.units[number].columns] = self.units[number].now
            gaps = yield from self._ask(points)
            if gaps.max() < self.need:
                return each
            each = self._made(points[int(gaps.argmax())])
        return each

    def _confirmed(self, drawn: list[Counterfactual]) -> Asking[tuple[Counterfactual, ...]]:
        """Ask about the very rows that are answered."""
        if not drawn:
            return ()
        points = np.stack([each.point for each in drawn])
        outputs = yield points
        good = self.goal.gap(outputs) >= self.need
        return tuple(
            Counterfactual(each.point, each.changed, each.cost, said)
            for each, said, fine in zip(drawn, outputs, good, strict=True)
            if fine
        )

    def _ask(self, points: Floats) -> Asking[Floats]:
        self.left -= len(points)
        outputs = yield points
        return self.goal.gap(outputs)

    def _costs(self, points: Floats) -> Floats:
        return np.sum([unit.cost(points) for unit in self.units], axis=0) if self.units else np.zeros(len(points))

    def _made(self, point: Floats, of: Set | None = None) -> Counterfactual:
        if of is None:
            moved = (number for number, unit in enumerate(self.units) if (point[unit.columns] != unit.now).any())
            of = frozenset(moved)
        return Counterfactual(point, of, float(self._costs(point[None])[0]))


def _worth(each: Counterfactual) -> tuple[int, float]:
    return len(each.changed), each.cost


def _nearest_of_sets(found: Iterable[Counterfactual]) -> list[Counterfactual]:
    """The cheapest of each set of changed features, fewest features first."""
    best: dict[Set, Counterfactual] = {}
    for each in found:
        if each.changed not in best or each.cost < best[each.changed].cost:
            best[each.changed] = each
    return sorted(best.values(), key=_worth)


def _different(found: list[Counterfactual], chosen: Sequence[Counterfactual], count: int) -> list[Counterfactual]:
    """Those to take, one after the other: what shares the fewest features with what is chosen, then the nearest.

    What changes all that another changes, and more, is no other way.
    """
    taken: list[Counterfactual] = []
    while len(chosen) + len(taken) < count:
        known = [*chosen, *taken]
        left = [each for each in found if not any(each.changed >= other.changed for other in known)]
        if not left:
            break
        taken.append(min(left, key=lambda each: (sum(len(each.changed & other.changed) for other in known), *_worth(each))))
    return taken


def _best(points: Floats, sets: list[Set], gaps: Floats) -> list[tuple[Floats, Set]]:
    """The points nearest to the outcome, one of each set of changed features."""
    states: dict[Set, Floats] = {}
    for number in np.argsort(-gaps, kind="stable"):
        if len(states) == BEAM:
            break
        states.setdefault(sets[number], points[number])
    return [(point, of) for of, point in states.items()]
