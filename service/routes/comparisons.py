"""Comparisons: the same rows explained in several ways, and how far the answers agree."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, g, request

from explainery.contract.comparison import COMPARISONS, Comparison, ComparisonRequest, status_of
from explainery.contract.errors import ComparisonGone, ComparisonNotFound, JobGone, JobNotFinished
from explainery.contract.tensors import unpack_result
from explainery.store.ids import ALPHABET
from service.agreement import Explained, comparison_of
from service.answers import POLL_S, accepted, json_answer
from service.body import read_json
from service.comparing import cancel, comparison_document, enter, forget, jobs_of
from service.openapi.answers import answers
from service.parts import parts
from service.prefer import read_preference
from service.routes.explanations import ID_LENGTH
from service.tenant import tenant_now
from service.validation import validated

blueprint = APIBlueprint("comparisons", __name__, url_prefix=COMPARISONS, tag="comparisons")


@blueprint.post("")
@blueprint.doc(operation_id="submit_comparison", responses=answers("Comparison", {200: "It ended in time.", 202: "Accepted."}))
def submit_comparison() -> Response:
    """Explain the same rows in several ways: a job for each variant. All enter, or none."""
    accepted("application/json")
    made = enter(parts(), validated(ComparisonRequest, read_json(request)))
    return _answer(made, created=True)


@blueprint.get("/<comparison_id>")
@blueprint.doc(operation_id="get_comparison", responses=answers("Comparison", {200: "The comparison."}))
def get_comparison(comparison_id: str) -> Response:
    """Get a comparison and its jobs. With `Prefer: wait=N` the answer is held until all have ended."""
    accepted("application/json")
    return _answer(_known(comparison_id))


@blueprint.get("/<comparison_id>/result")
@blueprint.doc(operation_id="get_comparison_result", responses=answers("ComparisonResult", {200: "How far they agree."}))
def get_comparison_result(comparison_id: str) -> Response:
    """Get how far the answers agree: per pair of variants, per row and in the mean, and where they differ most."""
    accepted("application/json")
    context, comparison = parts(), _known(comparison_id)
    states = [job.status for job in jobs_of(context, comparison)]
    if (state := status_of(states)) != "succeeded":
        raise JobNotFinished("There is a result when all jobs of the comparison have succeeded; see each job.", state)
    found = []
    for label, job_id in zip(comparison.labels, comparison.jobs, strict=True):
        try:
            found.append(Explained(label, job_id, *unpack_result(context.jobs.result(job_id))))
        except JobGone:
            raise ComparisonGone("A job of the comparison was deleted or has expired.") from None
    return json_answer({"id": comparison.id, "top": comparison.top, **comparison_of(found, comparison.top)})


@blueprint.post("/<comparison_id>/cancel")
@blueprint.doc(operation_id="cancel_comparison", responses=answers("Comparison", {200: "The comparison, canceled."}))
def cancel_comparison(comparison_id: str) -> Response:
    """Cancel the jobs of a comparison that have not ended."""
    accepted("application/json")
    comparison = _known(comparison_id)
    cancel(parts(), comparison)
    return json_answer(comparison_document(comparison, jobs_of(parts(), comparison), request.script_root))


@blueprint.delete("/<comparison_id>")
@blueprint.doc(operation_id="forget_comparison", responses=answers(None, {204: "Forgotten."}))
def forget_comparison(comparison_id: str) -> Response:
    """Delete a comparison and its jobs for good."""
    forget(parts(), _known(comparison_id))
    return Response(status=204)


def _known(comparison_id: str) -> Comparison:
    """The comparison, noted for the log. Raises ComparisonNotFound, ComparisonGone."""
    if len(comparison_id) != ID_LENGTH or not set(comparison_id) <= set(ALPHABET):
        raise ComparisonNotFound("There is no comparison of that id.")
    g.job_id = comparison_id
    return parts().comparisons.get(tenant_now(), comparison_id)


def _answer(comparison: Comparison, *, created: bool = False) -> Response:
    context = parts()
    preference = read_preference(request.headers.get("Prefer"), context.settings.max_wait_s)
    jobs = jobs_of(context, comparison, preference.wait_s)
    document = comparison_document(comparison, jobs, request.script_root)
    ended = all(job.status.ended for job in jobs)
    headers = {"Location": document["links"]["self"]} if created else {}
    if preference.applied:
        headers["Preference-Applied"] = preference.applied
    if not ended:
        headers["Retry-After"] = str(POLL_S)
    return json_answer(document, 202 if created and not (ended and preference.waits) else 200, headers)
