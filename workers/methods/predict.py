"""Predict: what the model answers, which is no explanation, but what clients of serving protocols ask in the same breath."""

from __future__ import annotations

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec
from explainery.contract.model_card import OutputSpec
from workers.frame import Frame
from workers.game import Params
from workers.questions import Floats, Map
from workers.whole import ExplainingJob, JobSolution, JobView

SPEC = MethodSpec(
    name="predict",
    title="Prediction",
    summary="What the model answers for each row: the explained output, whole, whatever the target.",
    asks=("values",),
    level="job",
    calls=Calls(values="rows"),
    completeness=False,
    reference="The model itself; Open Inference Protocol v2 (infer), KServe V1 (:predict)",
)


def explain_job(view: JobView, params: Params) -> ExplainingJob:
    """Ask for the output of each row. The map `output` is [rows, *row of the output]."""
    answers = yield [(row, Frame(baseline=False)) for row in range(view.rows)]
    outputs = np.stack([answer.instance for answer in answers])
    axes = ("row", *("output" if axis == 1 else f"output_{axis}" for axis in range(1, len(view.output.shape))))
    report = {"text": f"The output {view.output.name} of {view.rows} rows.", "output": view.output.name, "rows": view.rows}
    return JobSolution(report, (Map("output", shaped(outputs, view.output), axes),))


def job_cost(rows: int, params: Params) -> int:
    """Evaluations the job may cost."""
    return rows


def shaped(outputs: Floats, output: OutputSpec) -> Floats:
    """Outputs [rows, columns] in the card's shape, as far as it is known. Open axes beside others stay one axis of columns."""
    row = output.shape[1:]
    if row.count(-1) <= 1:
        return outputs.reshape(len(outputs), *row)
    return outputs.reshape(len(outputs), *(1 for _ in row[1:]), -1)
