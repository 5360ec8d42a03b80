"""Activation maximization: an input that excites a class or a unit, found by gradient ascent from the mean of the job's rows.

    x* = argmax S(x) - tv * TV(x) - l2 * |x - mean|^2   within the range of the inputs

The job's rows are the natural samples that the picture is compared with.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from explainery.contract.calls import Calls
from explainery.contract.catalogue import MethodSpec, Param
from explainery.contract.errors import InvalidParameter, InvalidTarget
from workers.game import Params
from workers.painting import Painting, Penalties, axis_names, is_spectral, moved, values_of
from workers.questions import Answer, Floats, InternalAnswer, Internals, Map, Probe, Unit, at
from workers.units import unit_of
from workers.whole import Asked, ExplainingJob, JobSolution, JobView

SPEC = MethodSpec(
    name="activation_maximization",
    title="Activation maximization",
    summary="An input that excites a class or a unit most, found by gradient ascent, beside the best of the job's rows.",
    asks=("internals",),
    smooth_inputs=True,
    level="job",
    layer="any",
    params=(
        Param(
            name="layer",
            type="string",
            default=None,
            help="The layer of the unit, as GET /v1/models/{name}/layers lists it. Not given: the target's score is raised.",
        ),
        Param(
            name="unit",
            type="indices",
            default=None,
            help="The unit of `layer`: a number, or one per axis. A channel's number means its mean.",
        ),
        Param(
            name="steps", type="integer", default=256, minimum=1, maximum=100_000, unit="gradient evaluations", help="Steps up."
        ),
        Param(
            name="starts",
            type="integer",
            default=1,
            minimum=1,
            maximum=64,
            help="Attempts from different noise, made together; the best is kept.",
        ),
        Param(
            name="learning_rate",
            type="number",
            default=0.05,
            minimum=1e-6,
            maximum=10,
            unit="share of the range",
            help="Size of a step (Adam); it falls to zero over the last half.",
        ),
        Param(
            name="parameterisation",
            type="string",
            default="pixel",
            choices=("pixel", "fourier"),
            help='What is painted: "pixel", or for pictures "fourier", the spectrum, which makes smooth pictures.',
        ),
        Param(
            name="jitter",
            type="integer",
            default=1,
            minimum=0,
            maximum=64,
            unit="pixels",
            help="How far a picture may be moved at each step but in the last quarter, so that no single pixel counts.",
        ),
        Param(
            name="blur",
            type="number",
            default=0.0,
            minimum=0,
            maximum=64,
            unit="pixels",
            help="A Gaussian's standard deviation: it smooths pictures and series every fourth step, not in the last quarter.",
        ),
        Param(
            name="total_variation",
            type="number",
            default=0.0,
            minimum=0,
            unit="output units",
            help="Weight of the mean squared difference of neighbours, in shares of the range, that is taken off the score.",
        ),
        Param(
            name="l2",
            type="number",
            default=0.0,
            minimum=0,
            unit="output units",
            help="Weight of the mean squared distance from the mean of the rows, in shares of the range, taken off the score.",
        ),
    ),
    calls=Calls(gradients="rows + starts * (steps + 1) + 0 - (0 - steps) // max(1, 0 - (0 - steps) // 4)"),
    completeness=False,
    random=True,
    reference="Erhan et al., Visualizing Higher-Layer Features, 2009; Olah, Mordvintsev & Schubert, Distill 2017",
)

BLUR_EVERY = 4
PICTURES = 4
"""Intermediate pictures that are kept."""
Asking = Generator[Asked, list[Answer], Any]


@dataclass(frozen=True)
class Aim:
    """What is raised: a unit, or an output column."""

    unit: Unit | None
    column: int | None

    def seen(self, inputs: Mapping[str, Floats], *, slopes: bool) -> Internals:
        """The question at one input."""
        return at({name: array[None] for name, array in inputs.items()}, Probe(unit=self.unit, inputs=slopes), self.column)


@dataclass
class Climb:
    """An attempt on its way: its score at each step, its best shares since it stands still, and some on the way."""

    painting: Painting
    scores: list[float] = field(default_factory=list)
    best: float = -np.inf
    kept: dict[str, Floats] = field(default_factory=dict)
    between: dict[int, dict[str, Floats]] = field(default_factory=dict)


def explain_job(view: JobView, params: Params) -> ExplainingJob:
    """Explain a job: look at every row, climb, and look at what was reached."""
    unit = _unit(view, params)
    natural: list[InternalAnswer] = yield [(row, Internals(Probe(unit=unit))) for row in range(view.rows)]
    aim = Aim(unit, None if unit else _column(view, natural))
    climbs = [Climb(Painting(view, params["parameterisation"], number)) for number in range(params["starts"])]
    for step in range(params["steps"]):
        yield from _step(view, params, aim, climbs, step)
    ends = yield [(0, aim.seen(values_of(climb.painting.shares(), view.bounds), slopes=False)) for climb in climbs]
    for climb, end in zip(climbs, ends, strict=True):
        _note(climb, float(end.outputs[0]), climb.painting.shares())
    best = max(climbs, key=lambda climb: climb.best)
    between = yield [(0, aim.seen(values_of(shares, view.bounds), slopes=False)) for shares in best.between.values()]
    on_the_way = {step: float(answer.outputs[0]) for step, answer in zip(best.between, between, strict=True)}
    scores = np.array([answer.outputs[0] for answer in natural])
    return JobSolution(_report(view, params, aim, best, on_the_way, scores), _maps(view, best))


def job_cost(rows: int, params: Params) -> int:
    """Evaluations the job may cost."""
    return int(rows + params["starts"] * (params["steps"] + 1) + PICTURES)


def _step(view: JobView, params: Params, aim: Aim, climbs: list[Climb], step: int) -> Asking:
    """One step of every attempt, in one turn."""
    steps = params["steps"]
    still = step >= steps - steps // 4
    shifts = [climb.painting.shifts(step, 0 if still else params["jitter"]) for climb in climbs]
    shown = [climb.painting.shares() for climb in climbs]
    answers = yield [
        (0, aim.seen(values_of(_moved(view, shares, shift), view.bounds), slopes=True))
        for shares, shift in zip(shown, shifts, strict=True)
    ]
    rate = params["learning_rate"] * min(1.0, 2 * (1 - step / steps))
    pull = Penalties(params["total_variation"], params["l2"])
    for climb, shares, shift, answer in zip(climbs, shown, shifts, answers, strict=True):
        climb.scores.append(float(answer.outputs[0]))
        if still:
            _note(climb, climb.scores[-1], shares)
        if step % max(1, -(-steps // PICTURES)) == 0:
            climb.between[step] = shares
        climb.painting.climb(answer.sums, shift, pull, rate)
        if params["blur"] and not still and step % BLUR_EVERY == BLUR_EVERY - 1:
            climb.painting.blur(params["blur"])


def _note(climb: Climb, score: float, shares: dict[str, Floats]) -> None:
    if score > climb.best:
        climb.best, climb.kept = score, shares


def _moved(view: JobView, shares: dict[str, Floats], shifts: dict[str, tuple[int, ...]]) -> dict[str, Floats]:
    return {each.name: moved(shares[each.name], shifts[each.name], each) for each in view.inputs}


def _unit(view: JobView, params: Params) -> Unit | None:
    """The unit that is asked for. Raises InvalidParameter when layer and unit are not given together."""
    if (params["layer"] is None) != (params["unit"] is None):
        missing = "unit" if params["unit"] is None else "layer"
        message = "must be given: a layer and its unit belong together"
        raise InvalidParameter(f"params.{missing} {message}.", [{"loc": f"params.{missing}", "msg": message}])
    return None if params["unit"] is None else unit_of(view.layers[0], params["unit"])


def _column(view: JobView, natural: list[InternalAnswer]) -> int:
    """The output column that all rows are asked for. Raises InvalidTarget when they differ."""
    columns = {answer.column for answer in natural}
    if len(columns) > 1:
        raise InvalidTarget("One class is painted for the whole job, and the rows' targets differ: name one as the target.")
    return columns.pop()


def _report(
    view: JobView, params: Params, aim: Aim, best: Climb, on_the_way: dict[int, float], natural: Floats
) -> dict[str, Any]:
    row = int(natural.argmax())
    above = best.best > natural[row]
    than = "more than" if above else "not more than"
    text = (
        f"The picture scores {best.best:.4g}, {than} the best of the job's {view.rows} rows, row {row} with {natural[row]:.4g}."
    )
    return {
        "text": text,
        "objective": _objective(view, aim),
        "score": best.best,
        "best_sample": {"row": row, "score": natural[row]},
        "above_best_sample": bool(above),
        "scores": best.scores,
        "pictures": [{"map": f"picture_at_{step}", "step": step, "score": score} for step, score in on_the_way.items()],
        "inputs": [
            {
                "input": each.name,
                "parameterisation": "fourier" if is_spectral(each, params["parameterisation"]) else "pixel",
                "lowest": view.bounds[each.name].lowest.min(),
                "highest": view.bounds[each.name].highest.max(),
                "range_of": view.bounds[each.name].of,
            }
            for each in view.inputs
        ],
    }


def _objective(view: JobView, aim: Aim) -> dict[str, Any]:
    if aim.unit is not None:
        return {"kind": "unit", "layer": aim.unit.layer, "unit": list(aim.unit.index)}
    labels, column = view.output.labels or (), aim.column or 0
    label = labels[column] if column < len(labels) else None
    return {"kind": "output", "output": view.output.name, "index": column, "label": label}


def _maps(view: JobView, best: Climb) -> tuple[Map, ...]:
    """The picture, and those on the way; of several inputs, one for each."""
    pictures = {"picture": best.kept, **{f"picture_at_{step}": shares for step, shares in best.between.items()}}
    several = len(view.inputs) > 1
    return tuple(
        Map(f"{name}.{each.name}" if several else name, values_of(shares, view.bounds)[each.name], axis_names(each))
        for name, shares in pictures.items()
        for each in view.inputs
    )
