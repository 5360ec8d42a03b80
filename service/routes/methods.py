"""Methods: what they promise, ask and take."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from service.answers import accepted, json_answer
from service.documents import method_document, method_documents
from service.openapi.answers import answers
from service.parts import parts

blueprint = APIBlueprint("methods", __name__, url_prefix="/v1/methods", tag="catalogue")


@blueprint.get("")
@blueprint.doc(operation_id="list_methods", responses=answers("MethodList", {200: "Every method."}))
def list_methods() -> Response:
    """List the methods that workers offer, and "auto"."""
    accepted("application/json")
    return json_answer({"methods": method_documents(parts().shelf())})


@blueprint.get("/<name>")
@blueprint.doc(operation_id="get_method", responses=answers("MethodSpec", {200: "The method."}))
def get_method(name: str) -> Response:
    """Get one method."""
    accepted("application/json")
    return json_answer(method_document(parts().shelf().method(name)))
