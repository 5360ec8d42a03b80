"""What a chunk's lines are answered, line by line as OpenAI writes it: {id, custom_id, response, error}."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from explainery.contract.tensors import result_document
from service.batches.planning import Member

OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
GIVEN_UP = {
    "batch_expired": "The batch's completion window was over before this line was done.",
    "batch_cancelled": "The batch was cancelled before this line was done.",
}
"""Why a line has no response at all."""


def answered(batch: str, first: int, ids: Sequence[str], members: Sequence[Member], blob: bytes) -> Iterator[bytes]:
    """The lines that a job's result answers. `first`: the number of the chunk's first line; `ids`: of all its lines.

    The body is that of `GET /v1/explanations/{id}/result`, with the line's own rows; `job_rows`: those of the whole job, whose
    cost `cost` is.
    """
    document = result_document(blob)
    explanations = document.pop("explanations")
    rows = sum(count for _, count in members)
    place = 0
    for line, count in members:
        body = {**document, "explanations": explanations[place : place + count], "job_rows": rows}
        place += count
        yield _line(batch, first + line, ids[line], {"status_code": 200, "body": body})


def refused(batch: str, first: int, ids: Sequence[str], faults: Mapping[int, Any]) -> Iterator[bytes]:
    """The lines that got no answer. A fault is a status and a problem, or a code of `GIVEN_UP`."""
    for line, fault in sorted(faults.items()):
        if isinstance(fault, str):
            error = {"code": fault, "message": GIVEN_UP[fault]}
            yield _line(batch, first + line, ids[line], None, error)
        else:
            yield _line(batch, first + line, ids[line], {"status_code": fault[0], "body": fault[1]})


def _line(batch: str, number: int, custom_id: str, response: dict[str, Any] | None, error: Any = None) -> bytes:
    name = f"{batch.removeprefix('batch_')}_{number}"
    if response is not None:
        response = {"status_code": response["status_code"], "request_id": f"req_{name}", "body": response["body"]}
    line = {"id": f"batch_req_{name}", "custom_id": custom_id, "response": response, "error": error}
    return orjson.dumps(line, option=OPTIONS)
