"""A job that goes on from another: `samples` more for each row, or a smaller tolerance. It answers as one job would."""

from __future__ import annotations

from typing import Any

from flask import g

from explainery.contract.effort import effort_of
from explainery.contract.errors import AnswersGone, JobNotFinished, ModelNotUsable, NotRefinable
from explainery.contract.job import Job, JobSpec, JobState, RefineRequest
from explainery.contract.sampling import SAMPLES, samples_param
from explainery.contract.tensors import pack, unpack
from service.entering import Entry, entry_of
from service.faults import fault
from service.parts import Parts
from service.tenant import tenant_now

KNOWN = "known/"


def refined(context: Parts, job: Job, asked: RefineRequest) -> Entry:
    """The job that goes on from another. Raises what `_going_on` does, and InvalidIdempotencyKey."""
    return entry_of(context, asked, lambda new: _going_on(context, job, asked, new), fresh=True)


def _going_on(context: Parts, job: Job, asked: RefineRequest, new_id: str) -> tuple[JobSpec, bytes]:
    """The new job, and what travels with it.

    Raises JobGone, JobNotFinished, NotRefinable, AnswersGone, and InvalidParameter when the samples are too many.
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
    return spec, pack(given | unpack(answers))


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
    more = params | {SAMPLES: max(asked.samples, 1)}
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
            "effort": effort_of(method, more, base.rows, entry.players),
            "content": None,
        }
    )
