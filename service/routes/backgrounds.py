"""Background sets stored once, and named by their digest where a job averages over them. A tenant sees its own."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response, request

from explainery.contract.errors import PayloadTooLarge
from explainery.contract.job import BackgroundRequest
from explainery.contract.tensors import pack, unpack
from service.answers import accepted, json_answer
from service.baselines import read_background
from service.body import read_json
from service.caller import quota_now
from service.openapi.answers import answers
from service.parts import parts
from service.tenant import tenant_now
from service.validation import validated

blueprint = APIBlueprint("backgrounds", __name__, url_prefix="/v1/backgrounds", tag="backgrounds")


@blueprint.post("")
@blueprint.doc(operation_id="store_background", responses=answers("Background", {201: "Stored, under its digest."}))
def store_background() -> Response:
    """Store rows of a model's inputs as a background set; the same rows again are the same set, and are kept longer."""
    accepted("application/json")
    context = parts()
    asked = validated(BackgroundRequest, read_json(request))
    card = context.shelf().usable(asked.model).card
    blob = pack(read_background(asked.rows, card, context.settings.max_rows, "rows").arrays)
    if len(blob) > context.settings.background_bytes:
        raise PayloadTooLarge("The background is too large; send fewer rows.", context.settings.background_bytes, "bytes")
    known = context.backgrounds.put(_tenant(), blob, quota_now().bytes)
    headers = {"Location": f"{request.script_root}/v1/backgrounds/{known}"}
    return json_answer(_document(known, blob), status=201, headers=headers)


@blueprint.get("")
@blueprint.doc(operation_id="list_backgrounds", responses=answers("BackgroundList", {200: "The sets, the last used first."}))
def list_backgrounds() -> Response:
    """List the ids of the background sets that are stored."""
    accepted("application/json")
    return json_answer({"backgrounds": parts().backgrounds.ids(_tenant())})


@blueprint.get("/<background_id>")
@blueprint.doc(operation_id="get_background", responses=answers("Background", {200: "What the set holds."}))
def get_background(background_id: str) -> Response:
    """Get the shapes of a background set; it is kept longer by that."""
    accepted("application/json")
    return json_answer(_document(background_id, parts().backgrounds.get(_tenant(), background_id)))


@blueprint.delete("/<background_id>")
@blueprint.doc(operation_id="forget_background", responses=answers(None, {204: "Forgotten."}))
def forget_background(background_id: str) -> Response:
    """Delete a background set; jobs that use it go on."""
    parts().backgrounds.forget(_tenant(), background_id)
    return Response(status=204)


def _tenant() -> str:
    return tenant_now()


def _document(background_id: str, blob: bytes) -> dict[str, Any]:
    arrays = {name.removeprefix("background/"): array for name, array in unpack(blob).items()}
    rows = len(next(iter(arrays.values())))
    return {"id": background_id, "rows": rows, "shapes": {name: array.shape[1:] for name, array in arrays.items()}}
