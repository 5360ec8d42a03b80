"""Permutation importance: how much worse the model gets when a feature's values are shuffled among the rows.

importance = mean over shuffles of loss(rows with the feature shuffled) - loss(rows)

"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec, Param
from explainery.contract.errors import InvalidInput
from workers.draws import generator
from workers.game import Params
from workers.losses import LOSSES, Loss, loss_of
from workers.outcomes import classes_of, column_of
from workers.parameters import FEATURES
from workers.questions import Floats, Map
from workers.table import Table, each
from workers.whole import ExplainingJob, JobSolution, JobView

SPEC = MethodSpec(
    name="permutation_importance",
    title="Permutation importance",
    summary="How much the loss over the job's rows grows when a feature's values are shuffled among them, with its error.",
    asks=("values",),
    level="job",
    table=True,
    params=(
        Param(
            name="truth",
            type="truth",
            default=None,
            help="The right class (index or label) or number of each row. Not given: what the model itself says of the rows.",
        ),
        Param(
            name="loss",
            type="string",
            default="auto",
            choices=LOSSES,
            help=(
                "What is called wrong: the share of wrong classes, squared or absolute differences, or the log loss. "
                "auto: error against true classes, else squared."
            ),
        ),
        Param(name="repeats", type="integer", default=10, minimum=2, maximum=10_000, help="Shuffles of each feature."),
        FEATURES,
    ),
    calls=Calls(values="rows * (1 + repeats * players)"),
    completeness=False,
    random=True,
    reference="Breiman, Random Forests, 2001; Fisher, Rudin & Dominici, All Models are Wrong, but Many are Useful, JMLR 2019",
)
OWN = "No truth was given: the loss is against what the model says of the rows as they are, so it tells influence, not worth."


def explain_job(view: JobView, params: Params) -> ExplainingJob:
    """Explain a job: its rows as they are, then with each feature shuffled, so many times."""
    table, repeats = view.table, params["repeats"]
    assert table is not None  # noqa: S101  # the SPEC asks for one
    if view.rows < 2:
        raise InvalidInput("permutation_importance shuffles values among rows: send two rows at least, better a hundred.")
    said: list[Floats] = []
    yield from each(table, [table.rows], lambda number, outputs: said.append(outputs))
    column = _column(view, said[0])
    loss = loss_of(params["loss"], view.output, column, params["truth"], said[0])
    first = loss(said[0])
    grown = np.zeros((len(table.players), repeats))

    def take(number: int, outputs: Floats) -> None:
        grown[number // repeats, number % repeats] = loss(outputs) - first

    yield from each(table, _shuffled(table, repeats, view.seed), take)
    notes = () if params["truth"] is not None else (OWN,)
    report = _report(table, loss, first, grown)
    return JobSolution(report, (Map("importance", grown, ("feature", "repeat")),), notes)


def _column(view: JobView, said: Floats) -> int:
    """The column whose loss is taken, of an output that is a number. Raises InvalidTarget where rows do not name one."""
    if classes_of(view.output) is not None or said.shape[1] == 1:
        return 0
    targets = set(view.targets)
    only = targets.pop() if len(targets) == 1 else None
    return column_of(None if only == "predicted" else only, said[0], f"Output {view.output.name}")


def job_cost(rows: int, params: Params, table: Table) -> int:
    """Evaluations the job may cost."""
    return rows * (1 + int(params["repeats"]) * len(table.players))


def _shuffled(table: Table, repeats: int, seed: int) -> Iterator[Floats]:
    """The rows with one player's columns shuffled among them, which move together."""
    for name, columns in table.players.items():
        rng = generator(seed, f"permutation_importance/{name}")
        for _ in range(repeats):
            points = table.rows.copy()
            points[:, columns] = table.rows[rng.permutation(len(points))][:, columns]
            yield points


def _report(table: Table, loss: Loss, first: float, grown: Floats) -> dict[str, Any]:
    means, errors = grown.mean(axis=1), grown.std(axis=1, ddof=1) / np.sqrt(grown.shape[1])
    names = list(table.players)
    ranked = [names[number] for number in np.argsort(-means, kind="stable")]
    features = [
        {"feature": name, "importance": mean, "standard_error": error}
        for name, mean, error in zip(names, means, errors, strict=True)
    ]
    text = f"Shuffling {ranked[0]} costs most: the loss ({loss.name}) grows by {means.max():.4g} from {first:.4g}."
    if means.max() <= 0:
        text = f"Shuffling no feature makes the loss ({loss.name}, {first:.4g}) grow."
    return {
        "text": text,
        "rows": len(table.rows),
        "loss": loss.name,
        "against": "truth" if loss.truth is not None else "the model's own answer",
        "loss_of_rows": first,
        "features": features,
        "ranking": ranked,
    }
