"""What may be changed of a table's row, and what a change costs: numbers within their limits, categories, one-hot blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from explainery.contract.actionability import Actionability
from explainery.contract.model_card import FLOATS
from explainery.contract.tables import groups_of
from explainery.contract.tensors import NUMPY_NAMES, limits
from workers.questions import Floats
from workers.table import Table

GRID = 24
"""Values of a number that are tried at first: quantiles of the data."""
NORMAL_IQR = 1.349
"""The range between the quartiles of a normal distribution, in standard deviations."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """Values that a column may take: between two ends, in steps where there are some, as the input's datatype holds them."""

    low: float
    high: float
    step: float | None
    datatype: str

    def snapped(self, values: Floats) -> Floats:
        """The nearest allowed values, which are exactly what the model sees."""
        inside = np.clip(values, self.low, self.high)
        if self.step is not None:
            first, last = math.ceil(self.low / self.step - 1e-9), math.floor(self.high / self.step + 1e-9)
            inside = np.clip(np.rint(inside / self.step), first, last) * self.step
        kind = np.dtype(NUMPY_NAMES[self.datatype])
        if self.datatype not in FLOATS:
            return np.asarray(np.rint(inside), dtype=np.float64)
        held = inside.astype(kind)
        held = np.where(held.astype(np.float64) > self.high, np.nextafter(held, kind.type(-np.inf)), held)
        held = np.where(held.astype(np.float64) < self.low, np.nextafter(held, kind.type(np.inf)), held)
        return np.asarray(held, dtype=np.float64)

    @property
    def empty(self) -> bool:
        """Whether nothing lies between the ends."""
        steps = 0 if self.step is None else math.ceil(self.low / self.step - 1e-9) - math.floor(self.high / self.step + 1e-9)
        return self.low > self.high or steps > 0


@dataclass(frozen=True, eq=False)
class Unit:
    """What changes as one: a column, or the columns of a one-hot block.

    `values`: what it may become, [choices, columns]. `numbers`, `scale`: of a number, whose change costs |change| / scale; the
    change of all else costs 1.
    """

    name: str
    columns: NDArray[np.int64]
    now: Floats
    values: Floats
    numbers: Numbers | None = None
    scale: float = 1.0

    def cost(self, points: Floats) -> Floats:
        """What the unit's change costs at points [points, columns of the table]."""
        there = points[:, self.columns]
        if self.numbers is not None:
            return np.asarray(np.abs(there[:, 0] - self.now[0]) / self.scale)
        return np.asarray((there != self.now).any(axis=1), dtype=np.float64)

    def choices(self, most: int) -> Floats:
        """At most so many of the values, evenly."""
        if len(self.values) <= most:
            return self.values
        return self.values[np.unique(np.linspace(0, len(self.values) - 1, most).round().astype(np.int64))]

    def taken_from(self, points: Floats) -> Floats:
        """What the unit becomes, as far as it may, when it is to be like points: [points, columns of the unit]."""
        there = points[:, self.columns]
        if self.numbers is not None:
            return self.numbers.snapped(there)
        allowed = (there[:, None] == self.values[None]).all(axis=2).any(axis=1)
        return np.where(allowed[:, None], there, self.now)


@dataclass(eq=False)
class Actions:
    """What the limits allow in a table: what all rows share is worked out once."""

    table: Table
    allowed: Actionability

    def units(self, x: Floats) -> list[Unit]:
        """The units of a row, as the model sees it, that may change at all."""
        blocks = [self._block(name, members, x) for name, members in self._blocks.items()]
        columns = [self._column(name, x[self.table.place[name]]) for name in self._columns]
        return [unit for unit in (*blocks, *columns) if unit is not None and len(unit.values)]

    @cached_property
    def _groups(self) -> dict[str, tuple[str, ...]]:
        return groups_of(self.table.card)

    @cached_property
    def _frozen(self) -> set[str]:
        return {member for name in self.allowed.immutable for member in self._groups.get(name, (name,))}

    @cached_property
    def _blocks(self) -> dict[str, tuple[str, ...]]:
        """One-hot groups that may change: those without an immutable member."""
        groups = {name: self._groups[name] for name in self.allowed.one_hot}
        return {name: members for name, members in groups.items() if not self._frozen & set(members)}

    @cached_property
    def _columns(self) -> list[str]:
        members = {member for name in self.allowed.one_hot for member in self._groups[name]}
        return [name for name in self.table.features if name not in self._frozen and name not in members]

    @cached_property
    def _data(self) -> dict[str, Spread]:
        held = self.table.held(self.table.reference)
        return {name: spread_of(held[:, self.table.place[name]]) for name in self._columns}

    def _block(self, name: str, members: tuple[str, ...], x: Floats) -> Unit:
        columns = np.array([self.table.place[member] for member in members])
        values, now = np.eye(len(members)), x[columns]
        ways = [self._ways(member) for member in members]
        good = [
            not np.array_equal(value, now)
            and all(low <= b - a <= high for (low, high), a, b in zip(ways, now, value, strict=True))
            for value in values
        ]
        return Unit(name, columns, now, values[good])

    def _column(self, name: str, now: float) -> Unit | None:
        column, (spec, _) = self.table.place[name], self.table.features[name]
        numbers = self._numbers(name, now, spec.datatype)
        if numbers.empty:
            return None
        labels, data = self.table.labels(column), self._data[name]
        if labels or spec.datatype == "BOOL":
            values = np.arange(len(labels or (0, 1)), dtype=np.float64)
            values = values[(values >= numbers.low) & (values <= numbers.high) & (values != now)]
            return Unit(name, np.array([column]), np.array([now]), values[:, None])
        values = np.unique(numbers.snapped(np.concatenate([data.quantiles, [numbers.low, numbers.high]])))
        scale = data.width or (numbers.high - numbers.low) or 1.0
        return Unit(name, np.array([column]), np.array([now]), values[values != now][:, None], numbers, scale)

    def _numbers(self, name: str, now: float, datatype: str) -> Numbers:
        """The card's range, where it is open that of the data; and one side of the row's own value where it has a direction."""
        low, high = self.allowed.ranges.get(name, (-math.inf, math.inf))
        data = self._data[name]
        low = low if math.isfinite(low) else min(data.low, now)
        high = high if math.isfinite(high) else max(data.high, now)
        down, up = self._ways(name)
        smallest, largest = limits(datatype)
        step = self.allowed.steps.get(name)
        if datatype not in FLOATS:
            step = max(1.0, step or 1.0)
        lowest, highest = max(low, smallest, now + down), min(high, largest, now + up)
        return Numbers(float(lowest), float(highest), step, datatype)

    def _ways(self, name: str) -> tuple[float, float]:
        """How far a value may fall and rise."""
        way = self.allowed.directions.get(name)
        return (0.0 if way == "increase" else -math.inf), (0.0 if way == "decrease" else math.inf)


@dataclass(frozen=True, eq=False)
class Spread:
    """How a column's values lie in the data. `width`: in standard deviations, as the quartiles say; 0 where all are one."""

    low: float
    high: float
    width: float
    quantiles: Floats


def spread_of(values: Floats) -> Spread:
    """The spread of values; where half of them are one, by the standard deviation itself."""
    low, high = np.quantile(values, (0.25, 0.75))
    width = float((high - low) / NORMAL_IQR or values.std())
    return Spread(float(values.min()), float(values.max()), width, np.unique(np.quantile(values, np.linspace(0, 1, GRID))))
