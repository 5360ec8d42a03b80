"""Around every request: its id, its log line, its count."""

from __future__ import annotations

import re
import secrets
import time

from flask import Flask, Response, g, request

from service.parts import parts

HEADER = "X-Request-Id"
SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
UNMATCHED = "unmatched"


def trace_requests(app: Flask) -> None:
    """Give each request an id (the client's, when it is a sane one), and log and count its answer."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    given = request.headers.get(HEADER, "")
    g.request_id = given if SANE.fullmatch(given) else secrets.token_hex(16)
    g.begun = time.perf_counter()


def _end(response: Response) -> Response:
    response.headers[HEADER] = g.request_id
    seconds = time.perf_counter() - g.begun
    route = request.url_rule.rule if request.url_rule else UNMATCHED
    method = request.method if request.url_rule else "ANY"
    parts().metrics.seen(method, route, response.status_code, seconds)
    parts().log.info(
        "request",
        request_id=g.request_id,
        job_id=g.get("job_id"),
        **({} if g.get("caller") is None else {"tenant": g.caller.tenant, "key_id": g.get("key_id")}),
        method=method,
        route=route,
        status=response.status_code,
        ms=round(seconds * 1000, 2),
    )
    return response
