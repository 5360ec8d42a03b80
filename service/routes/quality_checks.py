"""Quality checks: what they show, need and take."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from service.answers import accepted, json_answer
from service.openapi.answers import answers
from service.parts import parts

blueprint = APIBlueprint("quality_checks", __name__, url_prefix="/v1/quality-checks", tag="catalogue")


@blueprint.get("")
@blueprint.doc(operation_id="list_quality_checks", responses=answers("CheckList", {200: "Every check."}))
def list_quality_checks() -> Response:
    """List the checks of an explanation's quality that a job may ask for."""
    accepted("application/json")
    return json_answer({"checks": [spec.model_dump() for spec in parts().shelf().checks.values()]})
