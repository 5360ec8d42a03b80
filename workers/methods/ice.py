"""Individual conditional expectation: the output of each row as one feature, or two, take value after value in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec, Param
from workers.feature_curves import GRID, OF, VALUES, cost_of, curves_of, points_of
from workers.game import Params
from workers.outcomes import column_of
from workers.questions import Floats, Map
from workers.table import Table, each
from workers.whole import ExplainingJob, JobSolution, JobView

SPEC = MethodSpec(
    name="ice",
    title="Individual conditional expectation",
    summary="The output of each row as one feature, or two, take value after value: what partial dependence is the mean of.",
    asks=("values",),
    level="job",
    table=True,
    params=(
        OF,
        GRID,
        VALUES,
        Param(
            name="centred",
            type="boolean",
            default=False,
            help="Whether each row's curve begins at 0, so that only its shape is left (c-ICE).",
        ),
    ),
    calls=Calls(values="rows * (1 + points)", adaptive="points > fewest_points", least="rows * (1 + fewest_points)"),
    completeness=False,
    reference="Goldstein, Kapelner, Bleich & Pitkin, Peeking Inside the Black Box, JCGS 2015",
)


def explain_job(view: JobView, params: Params) -> ExplainingJob:
    """Explain a job. A map for each curve: [rows, *values], of each row's target column."""
    table = view.table
    assert table is not None  # noqa: S101  # the SPEC asks for one
    curves, seen = curves_of(table, params), list[Floats]()
    yield from each(table, [table.rows], lambda number, outputs: seen.append(outputs))
    columns = _columns(view, seen[0])
    rows = np.arange(view.rows)
    found: list[Floats] = []
    yield from each(table, points_of(table, curves), lambda number, outputs: found.append(outputs[rows, columns]))
    maps, told, start = [], [], 0
    for number, curve in enumerate(curves):
        lines = np.stack(found[start : start + curve.size], axis=1)
        start += curve.size
        centred = lines - lines[:, :1]
        shown = centred if params["centred"] else lines
        axes = ("row", "value", "value_2")[: 1 + len(curve.shape)]
        maps.append(Map(f"ice_{number}", shown.reshape(-1, *curve.shape), axes))
        told.append(curve.plain() | {"map": f"ice_{number}", "heterogeneity": centred.std(axis=0).max()})
    return JobSolution(_report(view, told, columns), tuple(maps))


def job_cost(rows: int, params: Params, table: Table) -> int:
    """Evaluations the job may cost."""
    return rows * (1 + cost_of(table, params))


def _columns(view: JobView, outputs: Floats) -> NDArray[np.int64]:
    """The column of each row's target. Raises InvalidTarget."""
    pairs = zip(view.targets, outputs, strict=True)
    return np.array([column_of(target, of_row, f"Output {view.output.name}") for target, of_row in pairs])


def _report(view: JobView, told: list[dict[str, Any]], columns: NDArray[np.int64]) -> dict[str, Any]:
    most = max(told, key=lambda each: each["heterogeneity"])
    spread = most["heterogeneity"]
    along = " and ".join(most["features"])
    text = f"The rows differ most along {along}: their curves spread by {spread:.4g} (standard deviation)."
    return {
        "text": text if spread > 0 else "All rows have curves of one shape.",
        "rows": view.rows,
        "output": view.output.name,
        "indices": columns,
        "curves": told,
    }
