"""The files of batches: what goes in, and what comes out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from explainery.client.operations.paths import given, path
from explainery.client.steps import Block, Give, Open, Steps, Stream, read, write

_FILES = "/v1/files"
_SILENCE_S = 60.0


def create_file(
    source: Path | str | IO[bytes], *, name: str | None = None, expires_after_s: int | None = None
) -> Steps[dict[str, Any]]:
    """Upload a file: its path, or an open one. JSON lines, CSV or Parquet, by its name; it is not read into memory."""
    form: dict[str, Any] = {"purpose": "batch"}
    if expires_after_s is not None:
        form |= {"expires_after[anchor]": "created_at", "expires_after[seconds]": str(expires_after_s)}
    with _opened(source) as file:
        part = (name or Path(str(getattr(file, "name", "rows.jsonl"))).name, file)
        response = yield write("POST", _FILES, data=form, files={"file": part})
    return dict(response.json())


def files(*, purpose: str | None = None) -> Stream[dict[str, Any]]:
    """Every file, the newest first."""
    yield from pages(_FILES, given(purpose=purpose))


def file(file_id: str) -> Steps[dict[str, Any]]:
    """What is known of a file."""
    return dict((yield read(path("v1", "files", file_id))).json())


def file_content(file_id: str, *, start: int = 0) -> Stream[bytes]:
    """A file's bytes, as they come; from `start` on, where a download broke off."""
    headers = {"Range": f"bytes={start}-"} if start else {}
    yield Open(path("v1", "files", file_id, "content"), headers, _SILENCE_S)
    while (block := (yield Block())) is not None:
        yield Give(block)


def file_lines(file_id: str) -> Stream[dict[str, Any]]:
    """The lines of a file of JSON lines, as they come."""
    yield Open(path("v1", "files", file_id, "content"), {}, _SILENCE_S)
    rest = b""
    while (block := (yield Block())) is not None:
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            if line.strip():
                yield Give(json.loads(line))
    if rest.strip():
        yield Give(json.loads(rest))


def delete_file(file_id: str) -> Steps[None]:
    """Delete a file for good. Raises ServiceError (409) while a batch reads it."""
    yield write("DELETE", path("v1", "files", file_id))


def pages(where: str, query: Mapping[str, Any]) -> Stream[dict[str, Any]]:
    """Every object of a list, page by page."""
    asked = dict(query)
    while True:
        page = (yield read(where, params=asked)).json()
        for found in page["data"]:
            yield Give(found)
        if not page["has_more"]:
            return
        asked["after"] = page["last_id"]


@contextmanager
def _opened(source: Path | str | IO[bytes]) -> Iterator[IO[bytes]]:
    if not isinstance(source, Path | str):
        yield source
        return
    with Path(source).open("rb") as found:
        yield found
