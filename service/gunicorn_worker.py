"""gunicorn's threaded worker, whose own refusals have the one shape of every error, and repeat nothing of the request.

What gunicorn cannot read never reaches the application: a line that is too long, a malformed header. It would answer those with
a page of HTML, and write what it could not read, which may be a key, into the page and the log.
"""

from __future__ import annotations

import contextlib
import secrets
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import orjson
from gunicorn import util  # type: ignore[import-untyped]  # gunicorn ships no types
from gunicorn.http import errors  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from service.problems import MEDIA_TYPE, problem_body

REFUSED: dict[type[Exception], tuple[int, str, str]] = {
    errors.LimitRequestLine: (414, "uri_too_long", "The address is too long; send shorter names, or less in the query."),
    errors.LimitRequestHeaders: (431, "headers_too_large", "The headers are too large, or too many."),
    errors.UnsupportedTransferCoding: (
        501,
        "transfer_coding_unsupported",
        "The transfer coding is not one that is understood.",
    ),
    errors.ExpectationFailed: (417, "expectation_failed", "The header Expect is not one that can be met."),
    errors.ForbiddenProxyRequest: (403, "proxy_forbidden", "The PROXY protocol is not spoken here."),
    errors.ParseException: (400, "bad_request", "The request cannot be understood; check its line, headers and chunks."),
}
"""What gunicorn cannot read -> status, code and detail; the first that fits."""
BROKEN = (500, "internal_error", "Something went wrong on our side.")


class Worker(ThreadWorker):  # type: ignore[misc]
    """One process of the API."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what never became a request of the application."""
        status, code, detail = next(
            (told for kind, told in REFUSED.items() if isinstance(exc, kind) and not _ours(exc)), BROKEN
        )
        say = self.log.error if status == BROKEN[0] else self.log.warning
        say("request not served: %s", type(exc).__name__)
        with contextlib.suppress(Exception):
            util.write_nonblock(client, _answer(status, code, detail))


def _ours(exc: BaseException) -> bool:
    """Whether it is the answer, or a setting, that gunicorn cannot make sense of."""
    return isinstance(exc, errors.ConfigurationProblem) or type(exc).__name__.startswith("InvalidResponse")


def _answer(status: int, code: str, detail: str) -> bytes:
    body = orjson.dumps(problem_body(status, code, detail, secrets.token_hex(16)))
    head = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Server: explainery",
        f"Date: {datetime.now(UTC):%a, %d %b %Y %H:%M:%S} GMT",
        "Connection: close",
        f"Content-Type: {MEDIA_TYPE}",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*head, "", ""]).encode("ascii") + body
