"""Jobs: submit, look, wait, cancel, forget, list."""

from __future__ import annotations

from typing import Annotated

from apiflask import APIBlueprint
from flask import Response, g, request
from pydantic import BaseModel, ConfigDict, Field

from explainery.contract.errors import JobNotFound
from explainery.contract.job import JobRequest, JobState
from explainery.store.ids import ALPHABET
from service.answers import accepted, job_answer, json_answer, unchanged_answer
from service.body import read_json
from service.documents import job_document
from service.entering import prepared
from service.openapi.answers import answers
from service.parts import parts
from service.prefer import read_preference
from service.tenant import tenant_now
from service.validation import validated
from service.waiting import submitted, until_changed, until_ended

blueprint = APIBlueprint("explanations", __name__, url_prefix="/v1/explanations", tag="explanations")

ID_LENGTH = 26


class JobQuery(BaseModel):
    """Which jobs to list."""

    model_config = ConfigDict(extra="forbid")

    status: JobState | None = None
    model: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    decision_id: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    cursor: Annotated[str, Field(max_length=64)] | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50


@blueprint.post("")
@blueprint.doc(operation_id="submit_explanation", responses=answers("Job", {200: "The job ended in time.", 202: "Accepted."}))
def submit() -> Response:
    """Submit a job: explain rows of a model's input by a method.

    With `Prefer: wait=N` the answer is held until the job has ended, at most N seconds. With an `Idempotency-Key` the same
    request again has the same job: 200 when it has ended, else 202.
    """
    accepted("application/json")
    context = parts()
    entry = prepared(context, validated(JobRequest, read_json(request)))
    preference = read_preference(request.headers.get("Prefer"), context.settings.max_wait_s)
    job = submitted(context, entry, preference.wait_s)
    status = 200 if job.status.ended and (preference.wait_s or entry.repeats) else 202
    return job_answer(job, status=status, created=True, applied=preference.applied, replayed=entry.repeats)


@blueprint.get("")
@blueprint.doc(operation_id="list_explanations", responses=answers("JobPage", {200: "A page of jobs, newest first."}))
def list_jobs() -> Response:
    """List jobs, newest first."""
    accepted("application/json")
    query = validated(JobQuery, request.args.to_dict())
    page = parts().jobs.page(tenant_now(), **query.model_dump())
    return json_answer({"jobs": [job_document(job, request.script_root) for job in page.jobs], "cursor": page.cursor})


@blueprint.get("/<job_id>")
@blueprint.doc(operation_id="get_explanation", responses=answers("Job", {200: "The job.", 304: "Not changed."}))
def get_job(job_id: str) -> Response:
    """Get a job.

    With `Prefer: wait=N` the answer is held until the job has ended; with `If-None-Match` too, until it has changed.
    """
    accepted("application/json")
    context = parts()
    preference = read_preference(request.headers.get("Prefer"), context.settings.max_wait_s)
    if not request.if_none_match:
        return job_answer(until_ended(context, known_id(job_id), preference.wait_s), applied=preference.looks)
    job = context.jobs.get(known_id(job_id))
    if request.if_none_match.contains_weak(str(job.revision)):
        seen, job = job, until_changed(context, job, preference.wait_s)
        if job.revision == seen.revision:
            return unchanged_answer(job, preference.looks)
    return job_answer(job, applied=preference.looks)


@blueprint.post("/<job_id>/cancel")
@blueprint.doc(operation_id="cancel_explanation", responses=answers("Job", {200: "The job, canceled."}))
def cancel(job_id: str) -> Response:
    """Cancel a job that has not ended."""
    accepted("application/json")
    job, whom = parts().jobs.cancel(known_id(job_id))
    parts().bell.ring(whom)
    return job_answer(job)


@blueprint.delete("/<job_id>")
@blueprint.doc(operation_id="forget_explanation", responses=answers(None, {204: "Forgotten."}))
def forget(job_id: str) -> Response:
    """Delete a job, its inputs and its result for good; its id answers 410 from now on."""
    parts().bell.ring(parts().jobs.forget(known_id(job_id)))
    parts().drawings.forget(job_id)
    return Response(status=204)


def known_id(job_id: str) -> str:
    """Return the id if it is one of the tenant's jobs, and note it for the log. Raises JobNotFound, JobGone.

    Every route that is given a job's id asks here first: nothing else looks whose it is.
    """
    if len(job_id) != ID_LENGTH or not set(job_id) <= set(ALPHABET):
        raise JobNotFound("There is no job of that id.")
    g.job_id = job_id
    parts().jobs.check_owner(job_id, tenant_now())
    return job_id
