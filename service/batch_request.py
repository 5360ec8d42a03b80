"""The body of `POST /v1/batches`, checked as far as it can be without reading its input."""

from __future__ import annotations

import re
from typing import Any

import orjson

from explainery.contract.batches import BatchRequest
from explainery.contract.errors import RequestRefused
from explainery.contract.job import JobRequest
from service.faults import fault
from service.validation import validated

WINDOW = re.compile(r"(\d{1,6})([smhd])")
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST_S = 366 * 86400
IN_METADATA = ("model", "method", "params")
"""Fields of `request` that may stand in the metadata, for clients that know no other place; `params` as JSON."""
KEY_LENGTH = 64


def read_batch(body: Any) -> BatchRequest:
    """The request. Raises RequestRefused."""
    asked = validated(BatchRequest, body)
    window_s(asked.completion_window)
    if any(len(name) > KEY_LENGTH for name in asked.metadata or ()):
        raise fault(RequestRefused, "metadata", f"must have names of at most {KEY_LENGTH} characters")
    return asked


def window_s(said: str) -> int:
    """Seconds of a completion window. Raises RequestRefused."""
    match = WINDOW.fullmatch(said)
    seconds = int(match[1]) * UNITS_S[match[2]] if match else 0
    if not 0 < seconds <= LONGEST_S:
        raise fault(RequestRefused, "completion_window", "must be a time like 24h, 90m or 7d, at most a year")
    return seconds


def for_format(asked: BatchRequest, form: str) -> BatchRequest:
    """The request with what its input's form needs: a table's rows share a `request`. Raises RequestRefused."""
    if form == "jsonl":
        if asked.request is not None:
            raise fault(RequestRefused, "request", "is for tables; each line of JSONL has a body of its own")
        return asked
    shared = dict(asked.request or _from_metadata(asked.metadata or {}))
    for name in ("inputs", "instances"):
        if name in shared:
            raise fault(RequestRefused, f"request.{name}", "comes from the table")
    if "model" not in shared:
        raise fault(RequestRefused, "request", 'must be given for a table: {"model": ..., "method": ...}')
    validated(JobRequest, {**shared, "instances": []})
    return asked.model_copy(update={"request": shared})


def _from_metadata(metadata: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {name: metadata[name] for name in IN_METADATA if name in metadata}
    if "params" in found:
        try:
            found["params"] = orjson.loads(found["params"])
        except orjson.JSONDecodeError:
            raise fault(RequestRefused, "metadata.params", "must be a JSON object") from None
    return found
