"""A method of tables answered by hand: a job of one table, its questions answered by a function in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainery.contract.actionability import Actionability
from explainery.contract.model_card import InputSpec, ModelCard, OutputSpec
from explainery.contract.tables import check_table
from workers.game import Partition
from workers.questions import Outputs
from workers.table import ReferenceOf, Table
from workers.whole import JobSolution, JobView

Array = NDArray[Any]
Function = Callable[[Array], Array]
"""Points [points, columns] -> outputs [points] or [points, output columns]."""


@dataclass
class Answered:
    """What came out, and every point that was asked about."""

    solution: JobSolution
    points: list[Array] = field(default_factory=list)
    turns: int = 0

    @property
    def report(self) -> Any:
        return self.solution.report

    @property
    def maps(self) -> dict[str, Array]:
        return {each.name: each.values for each in self.solution.maps}

    @property
    def evaluations(self) -> int:
        return sum(map(len, self.points))


def card(
    features: Sequence[str],
    columns: int = 1,
    kind: str = "regression",
    labels: Sequence[str] | None = None,
    datatype: str = "FP64",
    actionability: dict[str, Any] | None = None,
    **more: Any,
) -> ModelCard:
    """The card of one table and one output."""
    spec = InputSpec(
        name="input",
        datatype=datatype,
        shape=(-1, len(features)),
        modality="tabular",
        features=tuple(features),
        actionability=None if actionability is None else Actionability(**actionability),
        **more,
    )
    output = OutputSpec(
        name="output", datatype="FP64", shape=(-1, columns), kind=kind, labels=None if labels is None else tuple(labels)
    )
    return ModelCard(title="by hand", format="stub", inputs=(spec,), outputs=(output,))


def answer(
    method: Any,
    f: Function,
    of: ModelCard,
    rows: Any,
    params: dict[str, Any] | None = None,
    *,
    background: Any = None,
    target: Any = "predicted",
    seed: int = 0,
) -> Answered:
    """Answer a job of these rows. `background`: rows that stand for the data."""
    rows = np.asarray(rows, dtype=np.float64)
    complete = method.SPEC.complete(params or {})
    check_table(method.SPEC, complete, of, len(rows))
    where: ReferenceOf = "rows" if background is None else "background"
    reference = rows if background is None else np.asarray(background, dtype=np.float64)
    labels = np.arange(rows.shape[1])
    names = {"input": of.inputs[0].features}
    if of.inputs[0].groups:  # as the modality makes them, which the engine's own tests see
        member = {feature: group for group, features in of.inputs[0].groups.items() for feature in features}
        players = list(dict.fromkeys(member.get(feature, feature) for feature in of.inputs[0].features))
        labels = np.array([players.index(member.get(feature, feature)) for feature in of.inputs[0].features])
        names = {"input": tuple(players)}
    table = Table(of, rows, reference, where, Partition({"input": labels}, names))
    view = JobView(len(rows), seed, (target,) * len(rows), of.score_output, (), {}, table=table)
    steps = method.explain_job(view, complete)
    seen = Answered(JobSolution({}))
    answers = None
    while True:
        try:
            asked = next(steps) if answers is None else steps.send(answers)
        except StopIteration as end:
            seen.solution = end.value
            assert seen.evaluations <= method.job_cost(len(rows), complete, table)
            return seen
        seen.turns += 1
        answers = []
        for _, question in asked:
            assert isinstance(question, Outputs)
            points = question.points["input"].astype(np.float64)
            seen.points.append(points)
            found = np.asarray(f(points), dtype=np.float64)
            answers.append(found.reshape(len(points), -1))
