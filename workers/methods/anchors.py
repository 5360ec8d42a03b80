"""Anchors: a rule that a row fulfils, and with which the outcome stays what it is, whatever the other features are."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.catalogue import MethodSpec, Param
from explainery.contract.errors import InvalidBaseline
from workers.anchoring import MOST_POINTS, Anchor, Anchoring, Same
from workers.game import Params
from workers.outcomes import Classes, classes_of, column_of
from workers.questions import Floats
from workers.rules import conditions_of
from workers.table import Asking, Table, each, together
from workers.whole import ExplainingJob, JobSolution, JobView

SPEC = MethodSpec(
    name="anchors",
    title="Anchors",
    summary=(
        "A short rule for each row: rows of the data that are made to fulfil it have the row's outcome in at least the stated "
        "share of cases, at the stated confidence; and the share of the data that it covers."
    ),
    asks=("values",),
    level="job",
    table=True,
    params=(
        Param(
            name="precision",
            type="number",
            default=0.95,
            minimum=0.5,
            maximum=0.999,
            help="The share of rows with the same outcome that a rule must be shown to have.",
        ),
        Param(
            name="confidence",
            type="number",
            default=0.99,
            minimum=0.5,
            maximum=0.9999,
            help="How sure the stated precision is, the search for the rule counted in.",
        ),
        Param(
            name="samples",
            type="integer",
            default=50_000,
            minimum=400,
            maximum=10_000_000,
            unit="model evaluations",
            help="Model evaluations a row's search may cost.",
        ),
        Param(name="bins", type="integer", default=4, minimum=2, maximum=20, help="Parts that quantiles cut a number into."),
        Param(
            name="band",
            type="number",
            default=0.5,
            minimum=1e-6,
            maximum=10,
            unit="standard deviations",
            help="Of an output that is no class: how near to the row's output counts as the same.",
        ),
    ),
    completeness=False,
    random=True,
    reference="Ribeiro, Singh & Guestrin, Anchors: High-Precision Model-Agnostic Explanations, AAAI 2018",
)
MOST_DATA = 4096
LEAST_DATA = 20
HOW = (
    "rows drawn from the data; a feature of the rule whose value lies outside it takes the value of another row of the data "
    "that lies inside"
)


def explain_job(view: JobView, params: Params) -> ExplainingJob:
    """Explain a job: a search for each row, side by side."""
    table = view.table
    assert table is not None  # noqa: S101  # the SPEC asks for one
    data = table.held(table.reference[:MOST_DATA])
    if len(data) < LEAST_DATA:
        raise InvalidBaseline(
            f'anchors draws rows from the data, and there are {len(data)}: send {{"background": [rows]}} as the baseline with '
            f"{LEAST_DATA} rows at least, better some hundreds."
        )
    classes = classes_of(view.output)
    said: list[Floats] = []
    if classes is None:
        yield from each(table, [data], lambda number, outputs: said.append(outputs))

    def search(row: int) -> Asking[dict[str, Any]]:
        x = table.held(table.rows[row : row + 1])[0]
        conditions = conditions_of(table, data, x, params["bins"])
        same = partial(same_as, classes, view.targets[row], params["band"], said[0] if said else None)
        error = 1 - float(params["confidence"])
        of = Anchoring(x, data, conditions, same, float(params["precision"]), error, params["samples"], view.seed)
        anchor = yield from of.search()
        return _row(row, anchor, classes, view.output.name, params)

    told = yield from together(table, ((row, search(row)) for row in range(view.rows)), MOST_POINTS)
    return JobSolution(_report(table, params, [told[row] for row in range(view.rows)]))


def job_cost(rows: int, params: Params, table: Table) -> int:
    """Evaluations the job may cost."""
    return rows * int(params["samples"]) + min(len(table.reference), MOST_DATA)


def same_as(classes: Classes | None, target: int | str | None, band: float, said: Floats | None, before: Floats) -> Same:
    """What has the row's outcome: its class, or an output within a band around its own. `said`: the outputs of the data."""
    if classes is not None:
        own = classes.of(before)[0]
        return lambda outputs: classes.of(outputs) == own
    column = column_of(target, before[0])
    width = band * float(said[:, column].std()) if said is not None else 0.0

    def near(outputs: Floats) -> NDArray[np.bool_]:
        return np.asarray(np.abs(outputs[:, column] - before[0, column]) <= width)

    return near


def _row(row: int, anchor: Anchor, classes: Classes | None, output: str, params: Params) -> dict[str, Any]:
    index = None if classes is None else int(classes.of(anchor.before[None])[0])
    label = None if classes is None or index is None else classes.names[index]
    rule = " and ".join(condition.text for condition in anchor.rule)
    then = f"{output} is {label}" if label is not None else f"{output} stays within the band"
    notes = []
    if not anchor.good:
        notes.append(f"No rule was shown to reach a precision of {params['precision']:g}; this is the best that was found.")
    if not anchor.rule:
        notes.append("Nearly all of the data has this outcome, so that the rule has no condition.")
    return {
        "row": row,
        "outcome": {"output": output, "index": index, "label": label, "values": anchor.before},
        "text": f"If {rule}, {then}." if rule else f"Whatever the features are, {then}.",
        "rule": [condition.plain() for condition in anchor.rule],
        "precision": anchor.stated,
        "estimate": anchor.estimate,
        "samples": anchor.rows,
        "coverage": anchor.covers,
        "model_evaluations": anchor.calls,
        "quality": {"converged": anchor.good, "verdict": "pass" if anchor.good else "warn", "notes": notes},
    }


def _report(table: Table, params: Params, told: list[dict[str, Any]]) -> dict[str, Any]:
    good = [row for row in told if row["quality"]["converged"]]
    covers = np.mean([row["coverage"] for row in good]) if good else 0.0
    text = f"{len(good)} of {len(told)} rows have a rule of precision {params['precision']:g} or more"
    return {
        "text": f"{text}; they cover {covers:.0%} of the data on average." if good else f"{text}.",
        "confidence": params["confidence"],
        "data": {"of": table.reference_of, "rows": min(len(table.reference), MOST_DATA)},
        "perturbation": HOW,
        "rows": told,
    }
