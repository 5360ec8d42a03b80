"""The result of a job, as JSON or as a file of arrays."""

from __future__ import annotations

from collections.abc import Callable

from apiflask import APIBlueprint
from flask import Response

from explainery.contract.errors import JobNotFinished
from explainery.contract.tensors import named, result_document, result_npz
from service.answers import accepted, json_answer
from service.openapi.answers import result_answers
from service.parts import parts
from service.problems import result_missing
from service.routes.explanations import known_id

blueprint = APIBlueprint("results", __name__, url_prefix="/v1/explanations", tag="explanations")

JSON = "application/json"
ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "application/x-npz": result_npz,
    "application/vnd.safetensors": bytes,
}
"""Media type -> from the stored form, which is safetensors, to that type."""


@blueprint.get("/<job_id>/result")
@blueprint.doc(operation_id="get_result", responses=result_answers(JSON, *ENCODERS))
def get_result(job_id: str) -> Response:
    """Get the result of a job that succeeded: JSON, a NumPy archive or a safetensors file, by the `Accept` header."""
    media_type = accepted(JSON, *ENCODERS)
    try:
        stored = named(parts().jobs.result(known_id(job_id)), job_id)
    except JobNotFinished as error:
        return result_missing(error, parts().jobs.get(job_id))
    headers = {"Vary": "Accept"}
    if media_type == JSON:
        return json_answer(result_document(stored), headers=headers)
    return Response(ENCODERS[media_type](stored), headers=headers, content_type=media_type)
