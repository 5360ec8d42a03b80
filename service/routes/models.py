"""Models: their cards, versions, and which methods work on them; adding one."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, request

from explainery.contract.errors import LayersUnknown
from service.answers import accepted, json_answer
from service.documents import layers_document, model_document
from service.openapi.answers import answers
from service.parts import parts
from service.readiness import is_ready
from service.uploads import add_model

blueprint = APIBlueprint("models", __name__, url_prefix="/v1/models", tag="catalogue")


@blueprint.get("")
@blueprint.doc(operation_id="list_models", responses=answers("ModelList", {200: "Every model."}))
def list_models() -> Response:
    """List the models that workers offer."""
    accepted("application/json")
    models = parts().shelf().models
    return json_answer({"models": [model_document(name, entries) for name, entries in models.items()]})


@blueprint.post("")
@blueprint.doc(operation_id="add_model", responses=answers("AddedModel", {201: "The model is in the repository."}))
def add() -> Response:
    """Add a model to the repository as a new version, for operators: off unless EXPLAINERY_MODEL_UPLOADS is set."""
    accepted("application/json")
    placed, made = add_model(request, parts().settings)
    parts().log.info("model_added", model=placed.name, version=placed.version)
    where = f"{request.script_root}/v1/models/{placed.name}@{placed.version}"
    document = {"name": placed.name, "version": str(placed.version), "left": list(made.left)}
    return json_answer(document, 201, {"Location": where})


@blueprint.get("/<plain:name>")
@blueprint.doc(operation_id="get_model", responses=answers("Model", {200: "The model."}))
def get_model(name: str) -> Response:
    """Get one model: all its versions, or one as `name@version`; and whether the newest is ready, as KServe V1 says it."""
    accepted("application/json")
    entries = parts().shelf().versions(name)
    return json_answer({**model_document(entries[0].name, entries), "ready": is_ready(entries[0])})


@blueprint.get("/<plain:name>/layers")
@blueprint.doc(operation_id="get_layers", responses=answers("Layers", {200: "The layers."}))
def get_layers(name: str) -> Response:
    """List the layers of a model, the newest version or one as `name@version`, in the order in which they put out results."""
    accepted("application/json")
    entry = parts().shelf().usable(name)
    layers = parts().layers.find(entry.digest)
    if layers is None:
        raise LayersUnknown(
            f"No worker has looked into {entry.name}@{entry.version} yet, or it cannot be looked into; "
            "ask again in a moment, see /v1/models for what works on it."
        )
    return json_answer(layers_document(entry, layers, parts().shelf().methods))
