"""The `Idempotency-Key` header (draft-ietf-httpapi-idempotency-key-header): the same request twice is one job.

A key belongs to a tenant. What was asked under it is known by a fingerprint of the request as it was understood, not of its
bytes: white space and the order of fields may differ.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import orjson
from pydantic import BaseModel

from explainery.contract.errors import InvalidIdempotencyKey
from explainery.store.jobs import Once

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
"""A header that answers `true` where the job is that of an earlier request."""
QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\]){1,255})"(?:\s*;.*)?')
"""A string of RFC 9651, perhaps with parameters, which nobody has defined yet."""
BARE = re.compile(r"[!#-+\--:<-\[\]-~]{1,255}")
"""As most clients write it: no blanks, quotes, commas, semicolons or backslashes."""


def read_key(header: str | None) -> str | None:
    """The key of a header, without its quotes; None where there is none. Raises InvalidIdempotencyKey."""
    if header is None:
        return None
    text = header.strip()
    if quoted := QUOTED.fullmatch(text):
        return re.sub(r"\\(.)", r"\1", quoted[1])
    if BARE.fullmatch(text):
        return text
    fault = {"loc": f"header.{HEADER}", "msg": 'must be one string, like "8e03978e-40d5-43dd-bc93-6894a57f9324"'}
    raise InvalidIdempotencyKey(f"The header {HEADER} {fault['msg']}: 1 to 255 visible characters.", [fault])


def once_of(key: str | None, tenant: str, place: str, asked: BaseModel, part: int) -> Once | None:
    """What the ledger is to remember. `place`: method and path; `part`: which of the jobs that one request makes."""
    if key is None:
        return None
    name = hashlib.sha256(f"{tenant}\n{part}\n{key}".encode()).hexdigest()
    return Once(name, hashlib.sha256(place.encode() + b"\n" + _plain(asked)).hexdigest())


def _plain(asked: BaseModel) -> bytes:
    option = orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    try:
        return orjson.dumps(dict(asked), default=_known, option=option)
    except orjson.JSONEncodeError:  # a number beyond 64 bits, say
        return repr(sorted(asked.model_dump().items())).encode()


def _known(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return dict(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return hashlib.sha256(value).hexdigest()
    if hasattr(value, "tolist"):  # an array that orjson does not write: of another order, or of texts
        return value.tolist()
    raise TypeError
