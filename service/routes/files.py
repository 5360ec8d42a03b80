"""Files of batches, in OpenAI's shapes."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from apiflask import APIBlueprint
from flask import Response, request
from pydantic import BaseModel, ConfigDict, Field

from explainery.contract.batches import FileObject
from explainery.contract.errors import FileNotFound
from service.answers import accepted, json_answer
from service.caller import quota_now
from service.openapi.answers import answers, content_answers
from service.parts import parts
from service.ranges import read_range
from service.tenant import HEADER, read_tenant
from service.uploading import upload
from service.validation import validated

blueprint = APIBlueprint("files", __name__, url_prefix="/v1/files", tag="batches")

BYTES = ("application/octet-stream", "application/binary")
"""OpenAI's client asks for the second, which is registered nowhere."""
KNOWN = re.compile(r"file-[0-9A-Z]{26}(-output|-error)?")


class FileQuery(BaseModel):
    """Which files to list."""

    model_config = ConfigDict(extra="forbid")

    after: Annotated[str, Field(max_length=64)] | None = None
    limit: Annotated[int, Field(ge=1, le=10_000)] = 100
    purpose: Literal["batch", "batch_output"] | None = None
    order: Literal["asc", "desc"] = "desc"


@blueprint.post("")
@blueprint.doc(operation_id="upload_file", responses=answers("FileObject", {200: "The file is stored."}))
def add() -> Response:
    """Upload a batch's input: JSON lines, or a table as CSV or Parquet."""
    accepted("application/json")
    context = parts()
    most = quota_now(context.backgrounds).bytes
    return json_answer(upload(request, _tenant(), context.files, context.settings, most).model_dump())


@blueprint.get("")
@blueprint.doc(operation_id="list_files", responses=answers("FileList", {200: "The files."}))
def list_all() -> Response:
    """List a tenant's files, the newest first."""
    accepted("application/json")
    query = validated(FileQuery, request.args.to_dict())
    found, more = parts().files.page(
        _tenant(), after=query.after, limit=query.limit, purpose=query.purpose, oldest_first=query.order == "asc"
    )
    return json_answer(page_document(found, more))


@blueprint.get("/<file_id>")
@blueprint.doc(operation_id="get_file", responses=answers("FileObject", {200: "The file."}))
def get(file_id: str) -> Response:
    """Get what is known of a file."""
    accepted("application/json")
    return json_answer(_file(file_id).model_dump())


@blueprint.get("/<file_id>/content")
@blueprint.doc(operation_id="get_file_content", responses=content_answers())
def content(file_id: str) -> Response:
    """Get a file's bytes, as they come from the store; with `Range` some of them, to go on with a download that broke off."""
    media_type = accepted(*BYTES)
    file = _file(file_id)
    tag = f'"{file.id}"'  # what is in a file never changes
    same = request.headers.get("If-Range", tag) == tag
    span = read_range(request.headers.get("Range"), file.bytes, of_this=same) if request.method == "GET" else None
    headers = {"Accept-Ranges": "bytes", "ETag": tag, "Content-Length": str(file.bytes if span is None else span.size)}
    if span is None:
        return Response(parts().files.content(_tenant(), file.id), headers=headers, content_type=media_type)
    headers["Content-Range"] = f"bytes {span.first}-{span.last}/{file.bytes}"
    some = parts().files.content(_tenant(), file.id, span.first, span.size)
    return Response(some, 206, headers, content_type=media_type)


@blueprint.delete("/<file_id>")
@blueprint.doc(operation_id="delete_file", responses=answers("DeletedFile", {200: "Deleted."}))
def remove(file_id: str) -> Response:
    """Delete a file for good; one that a batch still reads stays (409)."""
    accepted("application/json")
    file = _file(file_id)
    parts().files.delete(_tenant(), file.id)
    return json_answer({"id": file.id, "object": "file", "deleted": True})


def page_document(found: list[Any], more: bool) -> dict[str, Any]:
    """A page, as OpenAI's API shows it."""
    first, last = (found[0].id, found[-1].id) if found else (None, None)
    data = [each.model_dump() for each in found]
    return {"object": "list", "data": data, "first_id": first, "last_id": last, "has_more": more}


def _file(file_id: str) -> FileObject:
    if not KNOWN.fullmatch(file_id):
        raise FileNotFound("There is no file of that id.")
    return parts().files.get(_tenant(), file_id)


def _tenant() -> str:
    return read_tenant(request.headers.get(HEADER))
