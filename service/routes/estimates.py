"""What a job would cost, before it is submitted."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, request

from explainery.contract.errors import OverBudget
from explainery.contract.job import JobRequest, JobSpec
from service.answers import accepted, json_answer
from service.body import read_json
from service.entering import admitted_now
from service.estimating import check_cost
from service.openapi.answers import answers
from service.parts import parts
from service.validation import validated

blueprint = APIBlueprint("estimates", __name__, tag="explanations")

NOBODY = "0" * 26
"""The id of a job that does not enter."""


@blueprint.post("/v1/explanations:estimate")
@blueprint.doc(operation_id="estimate_explanation", responses=answers("Estimated", {200: "What the job would cost."}))
def estimate() -> Response:
    """Estimate a job: calls of the model, seconds, memory and the wait. Nothing enters; the body is that of a submit."""
    accepted("application/json")
    context = parts()
    job = admitted_now(context, validated(JobRequest, read_json(request)), NOBODY).spec
    told = {"model": job.model.model_dump(), "method": job.method, "params": job.params, "rows": job.rows}
    cost = job.estimate.model_dump(mode="json") if job.estimate else None
    return json_answer({**told, "estimate": cost, "over_budget": _refusal(job, context.settings.max_evaluations)})


def _refusal(job: JobSpec, most: int) -> str | None:
    """Why the job would be refused for what it costs."""
    try:
        check_cost(job, most)
    except OverBudget as error:
        return error.detail
    return None
