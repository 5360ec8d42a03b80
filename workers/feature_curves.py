"""Along which values of which features a model is followed (partial dependence, individual conditional expectation)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from explainery.contract.catalogue import Param
from explainery.contract.errors import InvalidParameter
from workers.game import Params
from workers.questions import Floats
from workers.table import ENOUGH, Table

OF = Param(
    name="of",
    type="curves",
    default=None,
    help="Feature names, and pairs of them: a curve for each name, a surface for each pair. Not given: a curve for each.",
)
GRID = Param(
    name="grid",
    type="integer",
    default=20,
    minimum=2,
    maximum=1000,
    unit="values",
    help="Values of each feature: its quantiles from 5 % to 95 %, or all its values where there are no more than this.",
)
VALUES = Param(
    name="values",
    type="grids",
    default=None,
    help="The values of some features, {name: [numbers]}, in place of quantiles.",
)
ENDS = (0.05, 0.95)
MOST_POINTS = 250_000
"""Of one surface: it would be a map of so many numbers."""


@dataclass(frozen=True, eq=False)
class Curve:
    """One or two features, their columns, and the values of each."""

    names: tuple[str, ...]
    columns: tuple[int, ...]
    grids: tuple[Floats, ...]
    labels: tuple[tuple[str, ...] | None, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values each feature takes."""
        return tuple(map(len, self.grids))

    @property
    def size(self) -> int:
        """How many points it has."""
        return math.prod(self.shape)

    def plain(self) -> dict[str, Any]:
        """As a report has it."""
        named = {"labels": [list(each) if each else None for each in self.labels]} if any(self.labels) else {}
        return {"features": list(self.names), "grids": [grid.tolist() for grid in self.grids], **named}


def curves_of(table: Table, params: Params) -> list[Curve]:
    """The curves that are asked for. Raises InvalidParameter where one is too large."""
    asked = params["of"] or list(table.features)
    return [_curve(table, (entry,) if isinstance(entry, str) else tuple(entry), params) for entry in asked]


def cost_of(table: Table, params: Params) -> int:
    """Points of all curves together."""
    return sum(curve.size for curve in curves_of(table, params))


def points_of(table: Table, curves: list[Curve]) -> Iterator[Floats]:
    """The job's rows with a curve's features set to its values, for each value of each curve in turn."""
    for curve in curves:
        for values in itertools.product(*curve.grids):
            points = table.rows.copy()
            points[:, curve.columns] = values
            yield points


def _curve(table: Table, names: tuple[str, ...], params: Params) -> Curve:
    columns = tuple(table.place[name] for name in names)
    given = params["values"] or {}
    grids = tuple(
        _held(table, column, given[name]) if name in given else _grid(table, column, params["grid"])
        for name, column in zip(names, columns, strict=True)
    )
    curve = Curve(names, columns, grids, tuple(table.labels(column) for column in columns))
    if curve.size > MOST_POINTS:
        message = f"makes a surface of {curve.size} points; {MOST_POINTS} are the most: take a smaller grid"
        raise InvalidParameter(f"params.of {message}.", [{"loc": "params.of", "msg": message}])
    return curve


def _grid(table: Table, column: int, count: int) -> Floats:
    labels = table.labels(column)
    if labels:
        return np.arange(len(labels), dtype=np.float64)
    own = table.reference_of != "background" and len(table.rows) >= ENOUGH
    data = table.rows if own else table.reference
    known = np.unique(table.held(data)[:, column])
    if len(known) <= count:
        return known
    return _held(table, column, np.quantile(data[:, column], np.linspace(*ENDS, count)))


def _held(table: Table, column: int, values: Any) -> Floats:
    """The values as the model sees them, each once, in order."""
    points = np.zeros((len(values), len(table.features)))
    points[:, column] = values
    return np.unique(table.held(points)[:, column])
