"""Batches, in OpenAI's shapes: many requests in a file, answered in another."""

from __future__ import annotations

import re
from typing import Annotated

from apiflask import APIBlueprint
from flask import Response, request
from pydantic import BaseModel, ConfigDict, Field

from explainery.contract.batches import ENDED
from explainery.contract.errors import BatchNotFound
from service import idempotency
from service.answers import accepted, json_answer
from service.batch_request import for_format, read_batch, window_s
from service.body import read_json
from service.openapi.answers import answers
from service.parts import parts
from service.routes.files import page_document
from service.summing import summary_document
from service.tenant import HEADER, read_tenant
from service.validation import validated

blueprint = APIBlueprint("batches", __name__, url_prefix="/v1/batches", tag="batches")

KNOWN = re.compile(r"batch_[0-9A-Z]{26}")


class BatchQuery(BaseModel):
    """Which batches to list."""

    model_config = ConfigDict(extra="forbid")

    after: Annotated[str, Field(max_length=64)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20


@blueprint.post("")
@blueprint.doc(operation_id="create_batch", responses=answers("Batch", {200: "The batch is on its way."}))
def create() -> Response:
    """Hand in a batch: a file that was uploaded before, whose every line is answered once, in the output or the error file."""
    accepted("application/json")
    asked = read_batch(read_json(request))
    tenant = _tenant()
    once = idempotency.once_of(
        idempotency.read_key(request.headers.get(idempotency.HEADER)), tenant, "POST /v1/batches", asked, 0
    )
    batch = None if once is None else parts().batches.opened_under(tenant, once)  # its file may be gone by now
    if batch is None:
        asked = for_format(asked, parts().files.format(tenant, asked.input_file_id))
        batch = parts().batches.open(tenant, asked, window_s(asked.completion_window), once)
    return json_answer(batch.model_dump(), headers={"Location": f"{request.script_root}/v1/batches/{batch.id}"})


@blueprint.get("")
@blueprint.doc(operation_id="list_batches", responses=answers("BatchList", {200: "The batches."}))
def list_all() -> Response:
    """List a tenant's batches, the newest first."""
    accepted("application/json")
    query = validated(BatchQuery, request.args.to_dict())
    return json_answer(page_document(*parts().batches.page(_tenant(), after=query.after, limit=query.limit)))


@blueprint.get("/<batch_id>")
@blueprint.doc(operation_id="get_batch", responses=answers("Batch", {200: "The batch."}))
def get(batch_id: str) -> Response:
    """Get a batch: its status, how many lines are done, and its files when it has ended."""
    accepted("application/json")
    return json_answer(parts().batches.get(_tenant(), _known(batch_id)).model_dump())


@blueprint.post("/<batch_id>/cancel")
@blueprint.doc(operation_id="cancel_batch", responses=answers("Batch", {200: "It is being cancelled."}))
def cancel(batch_id: str) -> Response:
    """Cancel a batch. What is done by then is in its output file, the other lines are in the error file."""
    accepted("application/json")
    return json_answer(parts().batches.cancel(_tenant(), _known(batch_id)).model_dump())


@blueprint.get("/<batch_id>/summary")
@blueprint.doc(operation_id="summarise_batch", responses=answers("BatchSummary", {200: "The sums over what is done."}))
def summary(batch_id: str) -> Response:
    """Get what a batch's explanations say together, per feature: mean absolute and signed, quantiles, and the direction."""
    accepted("application/json")
    batch = parts().batches.get(_tenant(), _known(batch_id))
    about = {"batch_id": batch.id, "status": batch.status, "complete": batch.status in ENDED}
    return json_answer({**about, **summary_document(parts().files, parts().batches, batch.id)})


def _known(batch_id: str) -> str:
    if not KNOWN.fullmatch(batch_id):
        raise BatchNotFound("There is no batch of that id, or no longer.")
    return batch_id


def _tenant() -> str:
    return read_tenant(request.headers.get(HEADER))
