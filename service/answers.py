"""Responses: JSON by orjson, with the headers a job's answer carries."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from flask import Response, request

from explainery.contract.errors import NotAcceptable
from explainery.contract.events import JOBS
from explainery.contract.job import Job
from service.documents import job_document
from service.idempotency import REPLAYED

POLL_S = 1
"""Retry-After of a job that has not ended."""


def json_answer(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response; NumPy arrays are written as lists of numbers."""
    body = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, status=status, headers=headers, content_type="application/json")


def job_answer(
    job: Job, *, status: int = 200, created: bool = False, applied: str | None = None, replayed: bool = False
) -> Response:
    """A job: with its revision as ETag, when to look again, and, when it was just created, where it is."""
    root = request.script_root
    headers = {"ETag": etag(job), "Cache-Control": "no-cache", "Vary": "Prefer"}
    if not job.status.ended or status == HTTPStatus.ACCEPTED:
        headers["Retry-After"] = "0" if job.status.ended else str(POLL_S)
    if created:
        headers["Location"] = f"{root}{JOBS}/{job.id}"
    if applied:
        headers["Preference-Applied"] = applied
    if replayed:
        headers[REPLAYED] = "true"
    return json_answer(job_document(job, root), status, headers)


def unchanged_answer(job: Job, applied: str | None = None) -> Response:
    """304: the client has this revision already."""
    headers = {"ETag": etag(job), "Cache-Control": "no-cache", "Vary": "Prefer"}
    if applied:
        headers["Preference-Applied"] = applied
    return Response(status=304, headers=headers)


def etag(job: Job) -> str:
    """The job's revision as an entity tag."""
    return f'"{job.revision}"'


def accepted(*offered: str) -> str:
    """The best of the media types `offered` that the client accepts, the first when it does not say. Raises NotAcceptable."""
    if "Accept" not in request.headers:
        return offered[0]
    best = request.accept_mimetypes.best_match(offered)
    if best is None:
        raise NotAcceptable(f"None of the media types you accept can be given; there is: {', '.join(offered)}")
    return best
