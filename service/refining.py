"""A job that goes on from another: `samples` more for each row, or a smaller tolerance. It answers as one job would."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import g

from explainery.contract.effort import MOST
from explainery.contract.errors import AnswersGone, JobNotFinished, ModelNotUsable, NotRefinable
from explainery.contract.job import Job, JobSpec, JobState, RefineRequest
from explainery.contract.model_card import InputSpec
from explainery.contract.sampling import SAMPLES, samples_param
from explainery.contract.tensors import pack, unpack
from service.admission import around_of, backgrounds_of
from service.caller import caller_now
from service.choice import Choice, players_of
from service.entering import Entry, entry_of
from service.estimating import Asked, budget_of, check_cost, estimate_of
from service.faults import fault
from service.parts import Parts
from service.rows import Rows
from service.tenant import tenant_now

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

KNOWN = "known/"


def refined(context: Parts, job: Job, asked: RefineRequest) -> Entry:
    """The job that goes on from another. Raises what `_going_on` does, and InvalidIdempotencyKey."""
    return entry_of(context, asked, lambda new: _going_on(context, job, asked, new), fresh=True)


def _going_on(context: Parts, job: Job, asked: RefineRequest, new_id: str) -> tuple[JobSpec, bytes]:
    """The new job, and what travels with it.

    Raises JobGone, JobNotFinished, NotRefinable, AnswersGone, OverBudget, and InvalidParameter when the samples are too many.
    """
    job_id, status = job.id, job.status
    if status is not JobState.SUCCEEDED:
        what = "has not finished; wait for its end" if not status.ended else f"has {status}, so there is nothing to refine"
        raise JobNotFinished(f"The job {what}.", status)
    base = context.jobs.spec(job_id)
    spec = _spec(context, base, asked, new_id)
    inputs, answers = context.jobs.inputs(job_id), context.jobs.beside.answers(job_id)
    if inputs is None or answers is None:
        what = "inputs" if inputs is None else "answers"
        raise AnswersGone(
            f"The job's {what} are no longer kept, or were too large; "
            f"submit it again with params.{SAMPLES} {spec.params[SAMPLES]}."
        )
    given = {name: array for name, array in unpack(inputs).items() if not name.startswith(KNOWN)}
    before = unpack(answers)
    spec = _with_cost(context, spec, given, before)
    check_cost(spec, context.settings.max_evaluations)
    return spec, pack(given | before)


def _with_cost(context: Parts, spec: JobSpec, given: Arrays, before: Arrays) -> JobSpec:
    """The same job with its estimate: what all of it would cost, less what is known."""
    shelf = context.shelf()
    entry, method = shelf.usable(f"{spec.model.name}@{spec.model.version}"), shelf.method(spec.method)
    shapes = {each.name: _shape(each, given) for each in entry.card.sent}
    choice = Choice(method, dict(spec.params), players_of(entry, spec.params, shapes))
    width = backgrounds_of(spec.baseline, given)
    asked = Asked(
        entry,
        choice,
        Rows(spec.rows, {}, shapes),
        spec.target,
        width,
        spec.priority,
        context.catalogue.device,
        tuple((shelf.checks[each.check], each.params) for each in spec.quality if each.check in shelf.checks),
        spec.tenant,
        known=_known(before) * (1 if method.one_baseline else width or 1),
        around=around_of(spec.baseline, given),
    )
    estimate = estimate_of(asked, partial(context.runs.past, own=caller_now() is not None))
    budget = budget_of(spec.budget, method, estimate, context.settings.max_evaluations)
    return spec.model_copy(update={"estimate": estimate, "budget": budget, "effort": max(1, min(estimate.expected, MOST))})


def _shape(spec: InputSpec, given: Arrays) -> tuple[int, ...]:
    array = given.get(f"input/{spec.name}")
    return tuple(spec.row_shape) if array is None else array.shape[1:]


def _known(before: Arrays) -> int:
    """Calls that were answered before, of each baseline; `workers/remembering.py` writes them down."""
    return sum(json.loads(before[f"{KNOWN}about"].tobytes())["evaluations"])


def _spec(context: Parts, base: JobSpec, asked: RefineRequest, job_id: str) -> JobSpec:
    shelf = context.shelf()
    entry = shelf.usable(f"{base.model.name}@{base.model.version}")
    if entry.digest != base.model.digest:
        raise ModelNotUsable(f"The files of {base.model.name}@{base.model.version} have changed since; submit the rows again.")
    method = shelf.method(base.method)
    if samples_param(method) is None:
        raise NotRefinable(f"{method.name} does not sample, so there is nothing to go on with; ask anew with other parameters.")
    params: dict[str, Any] = base.params | {SAMPLES: base.params[SAMPLES] + asked.samples}
    if asked.tolerance is not None:
        params["tolerance"] = asked.tolerance
    if params == base.params and base.budget is None and base.deadline_s is None:
        raise fault(NotRefinable, "samples", "or a smaller tolerance must be given: as it is, the job is done")
    return base.model_copy(
        update={
            "id": job_id,
            "params": method.complete(params),
            "refines": base.id,
            "estimate": None,
            "method_requested": base.method,
            "method_reason": None,
            "budget": asked.budget,
            "deadline_s": asked.deadline_s,
            "priority": asked.priority,
            "decision_id": asked.decision_id or base.decision_id,
            "request_id": g.request_id,
            "tenant": tenant_now(),
            "content": None,
        }
    )
