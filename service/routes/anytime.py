"""Answers before and after the answer: a job's running estimate, and a job that goes on from another."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, request

from explainery.contract.errors import NoEstimate
from explainery.contract.job import JobState, RefineRequest
from explainery.contract.tensors import partial_document
from service.answers import accepted, job_answer, json_answer
from service.body import read_json
from service.openapi.answers import answers
from service.parts import parts
from service.prefer import read_preference
from service.refining import refined
from service.routes.explanations import known_id
from service.validation import validated
from service.waiting import submitted

blueprint = APIBlueprint("anytime", __name__, url_prefix="/v1/explanations", tag="explanations")


@blueprint.get("/<job_id>/partial")
@blueprint.doc(operation_id="get_partial", responses=answers("Partial", {200: "What is known of one row so far."}))
def get_partial(job_id: str) -> Response:
    """Get the running estimate of a job that is being worked on, by a method that samples."""
    accepted("application/json")
    context = parts()
    job = context.jobs.get(known_id(job_id))
    if job.status.ended:
        raise NoEstimate("The job has ended; ask for its result.", job.status)
    partial = context.jobs.beside.partial(job_id) if job.status is JobState.RUNNING else None
    if partial is None:
        raise NoEstimate("There is no estimate yet: only methods that sample give one, a second after they begin.", job.status)
    return json_answer(partial_document(partial), headers={"Cache-Control": "no-store"})


@blueprint.post("/<job_id>/refine")
@blueprint.doc(operation_id="refine_explanation", responses=answers("Job", {200: "The job ended in time.", 202: "Accepted."}))
def refine(job_id: str) -> Response:
    """Go on from a job that succeeded, with more samples for each row or a smaller tolerance: a new job, which has the answer.

    With `Prefer: wait=N` the answer is held until the new job has ended, at most N seconds.
    """
    accepted("application/json")
    context = parts()
    job = context.jobs.get(known_id(job_id))
    entry = refined(context, job, validated(RefineRequest, read_json(request)))
    preference = read_preference(request.headers.get("Prefer"), context.settings.max_wait_s)
    job = submitted(context, entry, preference.wait_s)
    status = 200 if job.status.ended and (preference.wait_s or entry.repeats) else 202
    return job_answer(job, status=status, created=True, applied=preference.applied, replayed=entry.repeats)
