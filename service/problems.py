"""Error -> HTTP status, in the one JSON shape of every error body (RFC 9457). The only file that knows both."""

from __future__ import annotations

import traceback
from http import HTTPStatus
from typing import Any

import orjson
from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException

from explainery.contract import errors
from explainery.contract.errors import ExplaineryError, JobNotFinished
from explainery.contract.job import Job

MEDIA_TYPE = "application/problem+json"
CHALLENGE = 'Bearer realm="explainery"'
QUOTA = "https://iana.org/assignments/http-problem-types#quota-exceeded"
QUOTA_TITLE = "Request cannot be satisfied as assigned quota has been exceeded"
REDUCED = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
"""Types of draft-ietf-httpapi-ratelimit-headers, section 5."""
RETRY_AFTER_S = 2
"""When to come back after an error that passes by itself."""

STATUSES: dict[type[ExplaineryError], int] = {
    errors.MalformedBody: 400,
    errors.InvalidIdempotencyKey: 400,
    errors.JobNotFound: 404,
    errors.BackgroundNotFound: 404,
    errors.UploadsOff: 403,
    errors.Forbidden: 403,
    errors.Unauthenticated: 401,
    errors.KeyNotFound: 404,
    errors.QuotaExceeded: 429,
    errors.UnknownFigure: 404,
    errors.WebhookNotFound: 404,
    errors.FileNotFound: 404,
    errors.BatchNotFound: 404,
    errors.NotAcceptable: 406,
    errors.JobNotFinished: 409,
    errors.JobEnded: 409,
    errors.NoEstimate: 409,
    errors.VersionExists: 409,
    errors.TooManyWebhooks: 409,
    errors.FileInUse: 409,
    errors.BatchEnded: 409,
    errors.JobGone: 410,
    errors.AnswersGone: 410,
    errors.PayloadTooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.RangeNotSatisfiable: 416,
    errors.RequestRefused: 422,
    errors.FiguresUnavailable: 501,
    errors.DrawingBusy: 503,
    errors.QueueFull: 503,
    errors.TooManyStreams: 503,
    errors.StoreUnavailable: 503,
    errors.CatalogueUnavailable: 503,
    errors.NoWorker: 503,
    errors.IdentityProviderUnavailable: 503,
    errors.LayersUnknown: 404,
    errors.JobNotSucceeded: 500,
    errors.SyncLimitReached: 504,
    ExplaineryError: 500,
}
"""A class not listed has the status of its nearest base."""

NAMED_IN_THE_PATH = (errors.UnknownModel, errors.UnknownModelVersion, errors.UnknownMethod)
"""404 when the path names them (GET), 422 when a request's body does."""
MODELS = (errors.UnknownModel, errors.UnknownModelVersion)
"""404 also when they are named by the path of a request to compute something."""
FAILURES = {
    "input_undecodable": 422,
    "deadline_exceeded": 504,
    "cancel_after_passed": 409,
    "time_limit_exceeded": 504,
}
"""By the code of a job's error, where a protocol waits for the answer: 503 for others that may pass, 500 for the rest."""

DETAILS = {
    400: ("bad_request", "The request cannot be understood; check its headers and path."),
    404: ("route_not_found", "There is nothing at this path; /openapi.json lists what there is."),
    405: ("method_not_allowed", "This path does not answer that HTTP method; see the Allow header."),
    413: ("payload_too_large", "The body is larger than {limit} bytes; send fewer rows per job."),
}
"""What the web framework itself refuses: code and detail by status."""


SAID = ("errors", "limit", "unit", "state", "job", "job_error", "estimate")
"""What an error may know besides its detail, and the body then says."""


def register_problems(app: Flask) -> None:
    """Give every error on every route its problem body."""
    app.register_error_handler(ExplaineryError, _explainery_problem)
    app.register_error_handler(HTTPException, _framework_problem)
    app.register_error_handler(Exception, _unexpected_problem)


def status_of(error: ExplaineryError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, NAMED_IN_THE_PATH) and request.method == "GET":
        return 404
    if isinstance(error, MODELS) and "name" in (request.view_args or {}):
        return 404
    if isinstance(error, errors.JobNotSucceeded):
        return _status_of_failure(error)
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def _status_of_failure(error: errors.JobNotSucceeded) -> int:
    """The status of a job that has no answer: whose fault it was."""
    if error.job_error is None:
        return 409  # canceled
    code = str(error.job_error["code"])
    return FAILURES.get(code, 503 if error.retryable else 500)


def result_missing(error: JobNotFinished, job: Job) -> Response:
    """409 for a result that is not there: says the job's state and, when it failed, why."""
    failure = job.error.model_dump() if job.error else None
    return problem(409, error.code, error.detail, state=error.state, job_error=failure)


def _explainery_problem(error: ExplaineryError) -> Response:
    more = {name: getattr(error, name) for name in SAID if getattr(error, name, None)}
    if isinstance(error, errors.QuotaExceeded):
        more |= {"type": QUOTA, "title": QUOTA_TITLE, "violated-policies": [error.policy]}
    if isinstance(error, errors.QueueFull):
        more |= {"type": REDUCED, "violated-policies": []}
    answer = problem(status_of(error), error.code, error.detail, retryable=error.retryable, **more)
    if "job" in more:
        answer.headers["Location"] = more["job"]
    if isinstance(error, errors.QueueFull | errors.QuotaExceeded):
        answer.headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, errors.RangeNotSatisfiable):
        answer.headers["Content-Range"] = f"bytes */{error.size}"
    if isinstance(error, errors.Unauthenticated):
        answer.headers["WWW-Authenticate"] = CHALLENGE + (', error="invalid_token"' if error.given else "")
    return answer


def _framework_problem(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:  # a redirect of the router
        return Response(status=status, headers={"Location": getattr(error, "new_url", "/")})
    limit = current_app.config["MAX_CONTENT_LENGTH"]
    code, detail = DETAILS.get(status, (HTTPStatus(status).name.lower(), f"{HTTPStatus(status).phrase}."))
    more = {"limit": limit, "unit": "bytes"} if status == 413 else {}
    answer = problem(status, code, detail.format(limit=limit), **more)
    if status == 405:
        answer.headers["Allow"] = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
    return answer


def _unexpected_problem(error: Exception) -> Response:
    """A fault of ours: its message may hold input values, so neither the body nor the log repeats it."""
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    current_app.extensions["explainery"].log.error("unexpected_error", kind=type(error).__name__, frames=frames[-12:])
    return problem(500, "internal_error", "Something went wrong on our side; the log has more under this request's id.")


def problem(status: int, code: str, detail: str, *, retryable: bool = False, **more: Any) -> Response:
    """A response with the problem body; `more` is added to it."""
    body = problem_body(status, code, detail, g.get("request_id", ""), retryable=retryable, **more)
    headers = {"Retry-After": str(RETRY_AFTER_S)} if retryable else {}
    return Response(orjson.dumps(body), status=status, headers=headers, content_type=MEDIA_TYPE)


def problem_body(
    status: int, code: str, detail: str, request_id: str, *, retryable: bool = False, **more: Any
) -> dict[str, Any]:
    """The one shape of every error body."""
    return {
        "type": f"urn:explainery:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "instance": f"urn:explainery:request:{request_id}",
        "code": code,
        "error": detail,
        "retryable": retryable,
        **more,
    }
