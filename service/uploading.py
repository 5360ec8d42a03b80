"""A multipart body with a file, streamed into the store of files: it is never in memory, nor twice on a disk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from flask import Request
from werkzeug.exceptions import LengthRequired, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from explainery.contract.batches import FileObject
from explainery.contract.errors import InvalidFile, MalformedBody, PayloadTooLarge, UnsupportedMediaType
from explainery.settings import Settings
from explainery.store.batch_files import WHOLE
from explainery.store.files import FileStore, NewFile
from service.body import check_site
from service.faults import fault

FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".parquet": "parquet"}
FRAME_BYTES = 4096
"""What a body may hold beside its file, so that a file that just fits is not refused for it."""
LEAST_S, MOST_S = 3600, 366 * 86400
NAME_LENGTH = 255
MOST_PARTS, FIELD_BYTES = 32, 2**19
"""What is read into memory beside the file: its fields and their headers. More than the parser reads at once."""


@dataclass(eq=False)
class _Sink:
    """What the parser writes a part to; only the one called `file` may come, once."""

    stream: Any
    size: int = 0
    begins: bytes = b""
    taken: bool = False

    def write(self, block: bytes) -> int:
        self.begins += bytes(block[: 4 - len(self.begins)])
        self.size += len(block)
        self.stream.write(block)
        return len(block)

    def seek(self, *_: int) -> int:
        """The parser goes back to the start, to read what it has written; we do not."""
        return 0


def upload(request: Request, tenant: str, files: FileStore, settings: Settings, most: int = 0) -> FileObject:
    """Take the file of a request in, whole or not at all. `most`: bytes that the tenant may store, 0 for any number.

    Raises UnsupportedMediaType, PayloadTooLarge, MalformedBody, InvalidFile, QuotaExceeded, StoreUnavailable.
    """
    check_site(request)
    about = max(_check_body(request, settings.max_file_bytes) - FRAME_BYTES, 0)
    with files.uploading(tenant, about, most) as file:
        with files.bytes.writing(file, WHOLE) as stream:
            sink = _Sink(stream)
            form, name = _parsed(request, sink)
            if form.get("purpose") != "batch":
                raise fault(InvalidFile, "purpose", "must be batch")
            new = NewFile(file, tenant, name, _format(name, sink), sink.size, _kept_s(form))
        return files.add(new, most)


def _parsed(request: Request, sink: _Sink) -> tuple[Any, str]:
    def open_part(**_: Any) -> Any:
        if sink.taken:
            raise fault(InvalidFile, "file", "must be given once")
        sink.taken = True
        return sink

    limit = request.max_content_length
    factory: Any = open_part  # called with names alone
    parser = FormDataParser(
        stream_factory=factory,
        max_form_memory_size=FIELD_BYTES,
        max_content_length=limit,
        max_form_parts=MOST_PARTS,
        silent=False,
    )
    try:
        parsed = parser.parse(request.stream, request.mimetype, request.content_length, request.mimetype_params)
    except RequestEntityTooLarge:
        raise fault(InvalidFile, "file", "must be the only part that is long, and one of a few") from None
    except ValueError:
        raise MalformedBody("The body is not multipart/form-data.") from None
    _, form, found = parsed
    part = found.get("file")
    if part is None or sink.size == 0:
        raise fault(InvalidFile, "file", "is missing or empty: the file, as a part called file")
    return form, _named(part.filename)


def _named(said: str | None) -> str:
    """The last part of a path, without what does not print."""
    return (
        re.sub(r"[^\x20-\x7e\xa0-\U0010ffff]", "", (said or "").replace("\\", "/").rpartition("/")[2])[-NAME_LENGTH:] or "file"
    )


def _check_body(request: Request, limit: int) -> int:
    """How long the body is."""
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType("Send multipart/form-data: a field purpose=batch, and the file as a part called file.")
    if request.content_length is None:
        raise LengthRequired  # a body without a length would be cut off at the limit in silence
    if request.content_length > limit:
        raise PayloadTooLarge(f"The body is larger than {limit} bytes; see EXPLAINERY_MAX_FILE_BYTES.", limit)
    request.max_content_length = limit
    return request.content_length


def _format(name: str, sink: _Sink) -> str:
    """By its first bytes, else by its name. Raises InvalidFile."""
    if sink.begins == b"PAR1":
        return "parquet"
    known = FORMATS.get("." + name.lower().rpartition(".")[2])
    if known == "parquet" or (known is None and sink.begins[:1] != b"{"):
        raise fault(InvalidFile, "file", "must be JSON lines (.jsonl), .csv or .parquet")
    return known or "jsonl"


def _kept_s(form: Any) -> int | None:
    """OpenAI's `expires_after`, as its client writes it into a form."""
    said = form.get("expires_after[seconds]")
    if said is None:
        return None
    if not said.isdecimal() or not LEAST_S <= int(said[:18]) <= MOST_S or form.get("expires_after[anchor]") != "created_at":
        raise fault(InvalidFile, "expires_after", f"must be anchor created_at and {LEAST_S} to {MOST_S} seconds")
    return int(said)
