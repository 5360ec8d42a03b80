"""Partial dependence: the mean output over the job's rows when one or two features are set to a value in all of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from workers.feature_curves import GRID, OF, VALUES, Curve, cost_of, curves_of, points_of
from workers.game import Params
from workers.outcomes import column_of
from workers.questions import Floats, Map
from workers.table import Table, each
from workers.whole import ExplainingJob, JobSolution, JobView

SPEC = MethodSpec(
    name="partial_dependence",
    title="Partial dependence",
    summary="The mean output over the job's rows as one feature, or two, take value after value in all of them.",
    asks=("values",),
    level="job",
    table=True,
    params=(OF, GRID, VALUES),
    calls=Calls(values="rows * points", adaptive="points > fewest_points", least="rows * fewest_points"),
    completeness=False,
    reference="Friedman, Greedy Function Approximation: A Gradient Boosting Machine, Annals of Statistics 2001",
)


def explain_job(view: JobView, params: Params) -> ExplainingJob:
    """Explain a job. A map for each curve: [outputs, *values], of the target's column alone where all rows have the same."""
    table = view.table
    assert table is not None  # noqa: S101  # the SPEC asks for one
    curves = curves_of(table, params)
    means: list[Floats] = []
    yield from each(table, points_of(table, curves), lambda number, outputs: means.append(outputs.mean(axis=0)))
    column = view.targets[0] if len(set(view.targets)) == 1 and isinstance(view.targets[0], int) else None
    if column is not None:
        column_of(column, means[0], f"Output {view.output.name}")
    maps, told, start = [], [], 0
    for number, curve in enumerate(curves):
        found = np.stack(means[start : start + curve.size], axis=1)
        start += curve.size
        shown = found if column is None else found[column : column + 1]
        axes = ("output", "value", "value_2")[: 1 + len(curve.shape)]
        maps.append(Map(f"dependence_{number}", shown.reshape(-1, *curve.shape), axes))
        told.append(curve.plain() | {"map": f"dependence_{number}", "range": np.ptp(shown, axis=1).max()})
    return JobSolution(_report(view, curves, told, column), tuple(maps))


def job_cost(rows: int, params: Params, table: Table) -> int:
    """Evaluations the job may cost."""
    return rows * cost_of(table, params)


def _report(view: JobView, curves: list[Curve], told: list[dict[str, Any]], column: int | None) -> dict[str, Any]:
    most = max(told, key=lambda each: each["range"])
    labels = view.output.labels
    return {
        "text": f"The mean output moves most along {' and '.join(most['features'])}: by {most['range']:.4g}.",
        "rows": view.rows,
        "output": view.output.name,
        "indices": None if column is None else [column],
        "labels": None if labels is None else list(labels) if column is None else [labels[column]],
        "curves": told,
    }
