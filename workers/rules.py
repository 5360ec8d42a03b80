"""Conditions that a table's row fulfils, and rows of the data made to fulfil them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from explainery.contract.tables import groups_of, limits_of
from workers.questions import Floats
from workers.table import Table


@dataclass(frozen=True, eq=False)
class Condition:
    """What some columns are asked to be: values like the row's own, or a number above `low` and not above `high`.

    `like`: the numbers of the data's rows that fulfil it. `own`: the row's values of these columns.
    """

    feature: str
    columns: NDArray[np.int64]
    own: Floats
    like: NDArray[np.int64]
    fulfilled: NDArray[np.bool_]
    """Of each row of the data."""
    low: float | None = None
    high: float | None = None
    label: str | None = None
    """What is equal, in words, of a category or a one-hot block."""

    @property
    def text(self) -> str:
        """The condition as people read it."""
        if self.low is None and self.high is None:
            return f"{self.feature} = {self.label if self.label is not None else f'{self.own[0]:.6g}'}"
        if self.low is None:
            return f"{self.feature} <= {self.high:.6g}"
        return (
            f"{self.feature} > {self.low:.6g}" if self.high is None else f"{self.low:.6g} < {self.feature} <= {self.high:.6g}"
        )

    def plain(self) -> dict[str, Any]:
        """As a report has it. `equals`: the label, or the number."""
        told: dict[str, Any] = {"feature": self.feature, "text": self.text, "low": self.low, "high": self.high, "equals": None}
        if self.low is None and self.high is None:
            told["equals"] = self.label if self.label is not None else self.own[0]
        return told


def conditions_of(table: Table, data: Floats, x: Floats, bins: int) -> list[Condition]:
    """The conditions that a rule may be made of: of each feature, and of each one-hot block of the card.

    A category, and a number of few values, is asked to be the row's own. Another number lies between two of the quantiles that
    cut the data into `bins`: above the lower is one condition, not above the upper another. What all fulfil is none.
    """
    groups, one_hot = groups_of(table.card), limits_of(table.card, None).one_hot
    blocks = {name: [table.place[member] for member in groups[name]] for name in one_hot}
    in_blocks = {column for columns in blocks.values() for column in columns}
    names = list(table.features)
    made = [_block(name, np.array(columns), names, data, x) for name, columns in blocks.items()]
    for column, name in enumerate(names):
        if column not in in_blocks:
            made += _column(table, name, column, data, x, bins)
    return [condition for condition in made if not condition.fulfilled.all()]


def merged(conditions: Sequence[Condition]) -> tuple[Condition, ...]:
    """A rule's conditions, those of one feature as one."""
    whole: dict[str, Condition] = {}
    for each in conditions:
        known = whole.get(each.feature)
        if known is None:
            whole[each.feature] = each
            continue
        fulfilled = known.fulfilled & each.fulfilled
        low, high = (known.low, each.high) if known.low is not None else (each.low, known.high)
        whole[each.feature] = replace(known, like=np.flatnonzero(fulfilled), fulfilled=fulfilled, low=low, high=high)
    return tuple(whole.values())


def drawn(data: Floats, rule: Sequence[Condition], count: int, rng: Generator) -> Floats:
    """Rows of the data, drawn at random, [count, columns], and made to fulfil a rule, whose conditions are `merged`.

    What is outside the rule takes the value of another row that is inside; where there is none, the explained row's own.
    """
    which = rng.integers(len(data), size=count)
    points = data[which].copy()
    for condition in rule:
        outside = np.flatnonzero(~condition.fulfilled[which])
        if len(condition.like):
            others = data[condition.like[rng.integers(len(condition.like), size=len(outside))]]
            points[np.ix_(outside, condition.columns)] = others[:, condition.columns]
        else:
            points[np.ix_(outside, condition.columns)] = condition.own
    return points


def coverage(data: Floats, rule: Sequence[Condition]) -> float:
    """The share of the data that fulfils a rule."""
    fulfilled = np.ones(len(data), dtype=bool)
    for condition in rule:
        fulfilled &= condition.fulfilled
    return float(fulfilled.mean())


def _block(name: str, columns: NDArray[np.int64], names: list[str], data: Floats, x: Floats) -> Condition:
    fulfilled = (data[:, columns] == x[columns]).all(axis=1)
    hot = [names[column] for column in columns if x[column] == 1]
    label = hot[0] if len(hot) == 1 else "none of them"
    return Condition(name, columns, x[columns], np.flatnonzero(fulfilled), fulfilled, label=label)


def _column(table: Table, name: str, column: int, data: Floats, x: Floats, bins: int) -> list[Condition]:
    values, own, columns = data[:, column], x[column], np.array([column])
    labels = table.labels(column)
    if labels or len(np.unique(values)) <= bins:
        fulfilled = values == own
        label = labels[int(own)] if labels and own in range(len(labels)) else None
        return [Condition(name, columns, x[columns], np.flatnonzero(fulfilled), fulfilled, label=label)]
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1]))
    place = int(np.searchsorted(edges, own, side="left"))
    made = []
    if place > 0:
        above = values > edges[place - 1]
        made.append(Condition(name, columns, x[columns], np.flatnonzero(above), above, low=float(edges[place - 1])))
    if place < len(edges):
        below = values <= edges[place]
        made.append(Condition(name, columns, x[columns], np.flatnonzero(below), below, high=float(edges[place])))
    return made
