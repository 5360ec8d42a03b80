"""A request's body: read once, at most as long as allowed, parsed fast."""

from __future__ import annotations

import math
import re
import sys
from typing import Any
from urllib.parse import urlsplit

import orjson
from flask import Request
from pydantic_core import from_json
from werkzeug.exceptions import RequestEntityTooLarge

from explainery.contract.errors import MalformedBody, UnsupportedMediaType

LONG_NUMBER = re.compile(rb"\d{309}")
"""Where there are so many digits, there may be a whole number that is larger than any float."""


def read_json(request: Request) -> Any:
    """The parsed body. Raises UnsupportedMediaType, MalformedBody; a body over the limit ends in 413.

    NaN and Infinity are let through, although they are not JSON: what holds them says so by name.
    """
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Send JSON, with the header Content-Type: application/json.")
    if request.mimetype_params.get("charset", "utf-8").lower().replace("-", "") != "utf8":
        raise UnsupportedMediaType("Send JSON in UTF-8.")
    return parsed(read_bytes(request))


def read_any(request: Request) -> bytes:
    """The body whatever its media type is said to be, for protocols whose clients name none, or a wrong one.

    Raises UnsupportedMediaType as `read_bytes` and `check_site` do.
    """
    check_site(request)
    return read_bytes(request)


def check_site(request: Request) -> None:
    """Raise UnsupportedMediaType where a page of another site sends what is not JSON: a browser asks us first only for that."""
    origin = request.headers.get("Origin")
    if origin is not None and request.mimetype != "application/json" and urlsplit(origin).netloc != request.host:
        raise UnsupportedMediaType("Pages of other sites must send JSON, with the header Content-Type: application/json.")


def read_bytes(request: Request) -> bytes:
    """The body. Raises UnsupportedMediaType for a compressed one; one over the limit ends in 413."""
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise UnsupportedMediaType("Send the body as it is, without a Content-Encoding.")
    body = request.get_data(cache=False)
    chunked = request.content_length is None and "wsgi.input_terminated" in request.environ
    if chunked and request.environ["wsgi.input"].read(1):
        raise RequestEntityTooLarge  # werkzeug cuts a chunked body off at the limit and says nothing
    return body


def parsed(body: bytes) -> Any:
    """A body that is JSON. Raises MalformedBody."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _with_nan(body)


def _with_nan(body: bytes) -> Any:
    """The slow way, for bodies that orjson refuses: it lets NaN and Infinity through, and says where other bodies break."""
    try:
        found = from_json(body, allow_inf_nan=True)
    except ValueError as error:
        raise MalformedBody(f"The body is not JSON: {error}.") from None
    return _in_range(found) if LONG_NUMBER.search(body) else found


def _in_range(value: Any) -> Any:
    """The same with infinity for whole numbers that no float holds: every place knows what to say of that."""
    if isinstance(value, dict):
        return {name: _in_range(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_in_range(part) for part in value]
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        return math.inf if value > 0 else -math.inf
    return value
