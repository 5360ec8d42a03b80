"""The search for a rule that holds a row's outcome in place: a beam of rules, and a look at fresh rows before one is stated.

What the search has seen of a rule is not what is stated of it: the best of many rules looks better than it is. So a rule that
the search likes is looked at on rows that are drawn anew, and the lower end of their exact binomial interval (Clopper &
Pearson) is stated. The k-th such look takes the share 1 / (k (k + 1)) of the error allowed: together they take all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.stats import beta

from workers.draws import generator
from workers.questions import Floats
from workers.rules import Condition, coverage, drawn, merged
from workers.table import Asking

MOST_POINTS = 2048
BEAM = 3
"""Rules that are made longer."""
FIRST, BETTER = 16, 3
"""Rows that each rule of a length is looked at with; the better third is looked at with as many again, and so on."""
FINAL, KNOWN = 6, 350
"""Rules of a length that are left in the end, and rows that each of them was then looked at with."""
FRESH = 1500
"""Rows of a last look."""
Rule = frozenset[int]
Same = Callable[[Floats], NDArray[np.bool_]]
"""Whether each of the outputs [points, columns] is the row's outcome."""


@dataclass(frozen=True, eq=False)
class Anchor:
    """A rule. `stated`: its precision is no lower, at the confidence asked for. `estimate`: over the fresh rows, their number.

    `good`: whether `stated` reaches what was asked for. `before`: the row's outputs, [columns].
    """

    rule: tuple[Condition, ...]
    stated: float
    estimate: float
    rows: int
    covers: float
    good: bool
    before: Floats = field(default_factory=lambda: np.zeros(0))
    calls: int = 0


@dataclass
class _Seen:
    """What the search has seen of a rule."""

    rows: int = 0
    hits: int = 0

    @property
    def mean(self) -> float:
        return self.hits / self.rows if self.rows else 0.0


@dataclass(eq=False)
class Anchoring:
    """One row's search. `left`: calls it may still make. `aim`: from the row's outputs [1, columns] to what has its outcome."""

    x: Floats
    data: Floats
    conditions: Sequence[Condition]
    aim: Callable[[Floats], Same]
    precision: float
    error: float
    left: int
    seed: int
    seen: dict[Rule, _Seen] = field(default_factory=dict)
    merged: dict[Rule, tuple[Condition, ...]] = field(default_factory=dict)
    looks: int = 0
    fresh: int = FRESH
    same: Same = field(init=False)
    rng: Generator = field(init=False)

    def search(self) -> Asking[Anchor]:
        """The shortest rules that are precise enough; of these the one that covers most."""
        before = yield self.x[None]
        self.same, self.rng = self.aim(before), generator(self.seed, "anchors")
        budget, self.fresh = self.left, min(FRESH, self.left // 4)
        self.left -= 1 + self.fresh  # the last look at the best of those that are not good enough
        beam: list[Rule] = [frozenset()]
        yield from self._look(beam, 6 * FIRST)
        best = beam[0]
        while True:
            found = yield from self._stated([rule for rule in beam if self.seen[rule].mean >= self.precision])
            if found is not None:
                self.left += self.fresh
                break
            longer = self._longer(beam[:BEAM])
            if not longer or self.left < len(longer) * FIRST:
                self.left += self.fresh
                found = yield from self._checked(best)
                break
            beam = yield from self._best_of(longer)
            best = max([best, *beam], key=lambda rule: (self.seen[rule].mean, self._coverage(rule)))
        return replace(found, before=before[0], calls=budget - self.left)

    def _longer(self, beam: Sequence[Rule]) -> list[Rule]:
        """Each rule with one condition more."""
        numbers = range(len(self.conditions))
        return list(dict.fromkeys(rule | {number} for rule in beam for number in numbers if number not in rule))

    def _best_of(self, rules: list[Rule]) -> Asking[list[Rule]]:
        """Leave out the worse rules and look twice as often at the others, until few are left that are known well."""
        count = FIRST
        while True:
            yield from self._look(rules, count)
            rules = sorted(rules, key=lambda rule: (-self.seen[rule].mean, -self._coverage(rule)))
            rules, count = rules[: max(FINAL, len(rules) // BETTER)], self.seen[rules[0]].rows
            if count >= KNOWN or self.left < count * len(rules):
                return rules[:FINAL]

    def _look(self, rules: Sequence[Rule], count: int) -> Asking[None]:
        """Look at so many rows of each rule."""
        width = max(1, MOST_POINTS // count)
        for start in range(0, len(rules), width):
            part = rules[start : start + width]
            hits = yield from self._hits([drawn(self.data, self._of(rule), count, self.rng) for rule in part])
            for rule, hit in zip(part, hits.reshape(len(part), count).sum(axis=1), strict=True):
                known = self.seen.setdefault(rule, _Seen())
                known.rows += count
                known.hits += int(hit)

    def _stated(self, rules: Sequence[Rule]) -> Asking[Anchor | None]:
        """The rule that covers most of those that a last look finds good."""
        for rule in sorted(rules, key=lambda rule: -self._coverage(rule)):
            if self.left < self.fresh:
                return None
            found = yield from self._checked(rule)
            if found.good:
                return found
        return None

    def _checked(self, rule: Rule) -> Asking[Anchor]:
        """State a rule's precision from rows drawn anew."""
        self.looks += 1
        hits = yield from self._hits([drawn(self.data, self._of(rule), self.fresh, self.rng)])
        count = int(hits.sum())
        stated = lowest(count, self.fresh, self.error / (self.looks * (self.looks + 1)))
        of, good = self._of(rule), stated >= self.precision
        return Anchor(of, stated, count / self.fresh, self.fresh, self._coverage(rule), good)

    def _hits(self, parts: list[Floats]) -> Asking[NDArray[np.bool_]]:
        points = np.concatenate(parts)
        self.left -= len(points)
        outputs = yield points
        return self.same(outputs)

    def _coverage(self, rule: Rule) -> float:
        return coverage(self.data, self._of(rule))

    def _of(self, rule: Rule) -> tuple[Condition, ...]:
        if rule not in self.merged:
            self.merged[rule] = merged([self.conditions[number] for number in sorted(rule)])
        return self.merged[rule]


def lowest(hits: int, rows: int, error: float) -> float:
    """The lower end of the one-sided Clopper-Pearson interval: the true share is below it with probability `error` at most."""
    return float(beta.ppf(error, hits, rows - hits + 1)) if hits else 0.0
