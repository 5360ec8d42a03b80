"""Counterfactuals: the nearest rows with another outcome, that change few features and only what may be changed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from explainery.contract.catalogue import MethodSpec, Param
from explainery.contract.tables import class_of, limits_of
from workers.actions import Actions, Unit
from workers.counterfactuals import MOST_POINTS, Counterfactual, Hunt, Hunter
from workers.game import Params
from workers.outcomes import Classes, Goal, classes_of, column_of
from workers.questions import Floats
from workers.table import Asking, Table, each, together
from workers.whole import ExplainingJob, JobSolution, JobView

SPEC = MethodSpec(
    name="counterfactual",
    title="Counterfactuals",
    summary=(
        "The nearest rows with another outcome: few features changed, as little as needed, within the limits of the card and "
        "the request, several that differ, each confirmed by the model on exactly the values given."
    ),
    asks=("values",),
    level="job",
    table=True,
    params=(
        Param(
            name="desired",
            type="outcome",
            default="other",
            help=(
                'The outcome that is wanted: "other" than the predicted class, a class by index or label, or '
                '{"range": [lowest, highest]} of the explained output, null for an open end.'
            ),
        ),
        Param(name="count", type="integer", default=3, minimum=1, maximum=20, help="How many are wanted for each row."),
        Param(
            name="samples",
            type="integer",
            default=4096,
            minimum=100,
            maximum=1_000_000,
            unit="model evaluations",
            help="Model evaluations a row's search may cost.",
        ),
        Param(
            name="actionability",
            type="actionability",
            default=None,
            help=(
                "Limits beside the card's, which they can only narrow: {immutable: [names], ranges: {name: [lowest, highest]}, "
                'directions: {name: "increase" or "decrease"}, steps: {name: number}, one_hot: [groups]}.'
            ),
        ),
        Param(
            name="margin",
            type="number",
            default=0.01,
            minimum=0,
            maximum=10,
            help="How far the wanted class must lead, as a share of how far it was behind: rows on the very boundary are none.",
        ),
    ),
    completeness=False,
    reference="Wachter, Mittelstadt & Russell, Counterfactual Explanations without Opening the Black Box, 2018",
)
NOTHING = (
    "Nothing of this row may be changed: every feature is immutable, or has a single value. Where no range is given, features "
    "go as far as the data do: send a background set."
)
Told = Callable[[Floats], dict[str, Any]]
"""Outputs [columns] as a report has them."""
MOST_DATA = 1024
"""Rows of the data whose outcome is asked for."""


def explain_job(view: JobView, params: Params) -> ExplainingJob:
    """Explain a job: the outcome of the data, then a search for each row, side by side."""
    table = view.table
    assert table is not None  # noqa: S101  # the SPEC asks for one
    data, allowed = table.held(table.reference[:MOST_DATA]), limits_of(table.card, params["actionability"])
    said: list[Floats] = []
    yield from each(table, [data], lambda number, outputs: said.append(outputs))
    classes = classes_of(view.output)
    actions = Actions(table, allowed)

    def search(row: int) -> Asking[dict[str, Any]]:
        x = table.held(table.rows[row : row + 1])[0]
        units = actions.units(x)
        aim = partial(goal_of, params["desired"], classes, view.targets[row])
        hunter = Hunter(x, units, aim, params["margin"], params["count"], params["samples"], data, said[0])
        hunt = yield from hunter.hunt()
        return _row(table, _outcomes(classes, view.output.name), units, hunt, row, params["count"])

    told = yield from together(table, ((row, search(row)) for row in range(view.rows)), MOST_POINTS)
    return JobSolution(_report(table, view, params, [told[row] for row in range(view.rows)]))


def job_cost(rows: int, params: Params, table: Table) -> int:
    """Evaluations the job may cost."""
    return rows * int(params["samples"]) + min(len(table.reference), MOST_DATA)


def goal_of(desired: Any, classes: Classes | None, target: int | str | None, before: Floats) -> Goal:
    """What is wanted, by the request and the instance's outputs [1, columns]."""
    if isinstance(desired, dict):
        low, high = desired["range"]
        column = column_of(target, before[0])
        return Goal(None, column=column, low=-np.inf if low is None else low, high=np.inf if high is None else high)
    assert classes is not None  # noqa: S101  # `check_table` refuses a class where there are none
    if desired == "other":
        return Goal(classes, unwanted=int(classes.of(before)[0]))
    return Goal(classes, wanted=class_of(desired, classes.names))


def _row(table: Table, outcome: Told, units: list[Unit], hunt: Hunt, row: int, count: int) -> dict[str, Any]:
    x = table.held(table.rows[row : row + 1])[0]
    return {
        "row": row,
        "outcome": outcome(hunt.before),
        "counterfactuals": [_told(table, units, outcome, x, one) for one in hunt.found],
        "model_evaluations": hunt.calls,
        "quality": _quality(hunt, units, count),
    }


def _quality(hunt: Hunt, units: list[Unit], count: int) -> dict[str, Any]:
    """Few are a warning, none is a failure, unless none is needed."""
    found = len(hunt.found)
    if hunt.already:
        return _judged("pass", "The row has the wanted outcome as it is: nothing need change.")
    if found == count:
        return _judged("pass")
    if found:
        return _judged("warn", f"{found} of {count} were found that differ; raise samples, or loosen the limits.")
    if not units:
        return _judged("fail", NOTHING)
    none = f"No row with the wanted outcome was found within the limits in {hunt.calls} model calls"
    return _judged("fail", f"{none}: raise samples, or loosen the limits.")


def _judged(verdict: str, *notes: str) -> dict[str, Any]:
    return {"converged": verdict == "pass", "verdict": verdict, "notes": list(notes)}


def _outcomes(classes: Classes | None, output: str) -> Told:
    """Outputs [columns] as a report has them."""

    def told(outputs: Floats) -> dict[str, Any]:
        if classes is None:
            return {"output": output, "index": None, "label": None, "values": outputs}
        index = int(classes.of(outputs[None])[0])
        return {"output": output, "index": index, "label": classes.names[index], "values": outputs}

    return told


def _told(table: Table, units: list[Unit], outcome: Told, x: Floats, one: Counterfactual) -> dict[str, Any]:
    assert one.outputs is not None  # noqa: S101  # only confirmed ones are answered
    return {
        "inputs": table.by_input(one.point),
        "changes": [_change(table, units[number], x, one.point) for number in sorted(one.changed)],
        "changed": len(one.changed),
        "distance": one.cost,
        "outcome": outcome(one.outputs),
        "valid": True,
    }


def _change(table: Table, unit: Unit, x: Floats, point: Floats) -> dict[str, Any]:
    """A feature's change; of a one-hot block, from which of its features to which."""
    if len(unit.columns) > 1:
        names = list(table.features)
        before, after = ([names[column] for column in unit.columns if row[column] == 1] for row in (x, point))
        return {"feature": unit.name, "from": before[0] if len(before) == 1 else None, "to": after[0]}
    column = int(unit.columns[0])
    labels, before, after = table.labels(column), x[column], point[column]
    if labels:
        known = labels[int(before)] if before in range(len(labels)) else None
        return {"feature": unit.name, "from": known, "to": labels[int(after)]}
    return {"feature": unit.name, "from": before, "to": after}


def _report(table: Table, view: JobView, params: Params, told: list[dict[str, Any]]) -> dict[str, Any]:
    solved = [each for each in told if each["counterfactuals"]]
    fewest = [min(found["changed"] for found in each["counterfactuals"]) for each in solved]
    already = sum(not each["counterfactuals"] and each["quality"]["verdict"] == "pass" for each in told)
    text = f"{len(solved)} of {view.rows} rows have a counterfactual"
    text += f"; the sparsest change {np.mean(fewest):.2g} features on average" if solved else ""
    text += f"; {already} have the wanted outcome as they are." if already else "."
    return {
        "text": text,
        "desired": params["desired"],
        "data": {"of": table.reference_of, "rows": len(table.reference)},
        "distance": "sum over the changed features of |change| / spread of the data; 1 for a category or a one-hot block",
        "rows": told,
    }
