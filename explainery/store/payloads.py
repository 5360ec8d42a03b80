"""Payloads too large for Redis: files named by their digest, in a folder or at any fsspec URL.

What Redis keeps in their place is a pointer: `POINTER` and the digest. A payload that several jobs share is stored once.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from explainery.contract.errors import StoreUnavailable
from explainery.settings import Settings
from explainery.store.place import Place

if TYPE_CHECKING:
    from collections.abc import Callable

POINTER = b"explainery-payload:"
"""No safetensors begins like this: it would have a header of 10^18 bytes."""
AGE_S = 3600.0
"""A payload is not swept until it is so old: a job that is being admitted has its payload before its record."""


class Payloads:
    """Puts large values aside and fetches them. Raises StoreUnavailable when the store cannot be reached."""

    def __init__(self, settings: Settings) -> None:
        self._place = Place(settings.payloads_url)
        self._limit = settings.inline_bytes

    def shelve(self, value: bytes) -> bytes:
        """The value itself when it is small, else a pointer to where it was put."""
        if len(value) <= self._limit:
            return value
        digest = hashlib.sha256(value).hexdigest()
        with _store_errors():
            self._put(digest, value)
        return POINTER + digest.encode()

    def fetch(self, stored: bytes) -> bytes:
        """The value that `shelve` gave `stored` for."""
        if not stored.startswith(POINTER):
            return stored
        with _store_errors():
            return bytes(self._place.files.cat_file(self._path(stored.removeprefix(POINTER).decode())))

    def sweep(self, unneeded: Callable[[list[str]], list[str]]) -> int:
        """Delete old payloads that `unneeded`, asked with their digests, names; return how many."""
        with _store_errors():
            old = [digest for digest, age_s in self._ages() if age_s > AGE_S]
        gone = unneeded(old) if old else []
        with _store_errors():
            for digest in gone:
                self._place.files.rm_file(self._path(digest))
        return len(gone)

    def _put(self, digest: str, value: bytes) -> None:
        """Write under another name and move: a reader sees the whole payload or none.

        A known one is written again, so that its age begins anew.
        """
        folder, path = self._path(digest).rpartition("/")[0], self._path(digest)
        self._place.files.makedirs(folder, exist_ok=True)
        draft = f"{path}.{uuid4().hex}.part"
        self._place.files.pipe_file(draft, value)
        self._place.files.mv(draft, path)

    def _ages(self) -> Iterator[tuple[str, float]]:
        """Digest and age in seconds of every payload; drafts that were never finished go by their own name."""
        for path, info in self._place.files.find(self._place.root, detail=True).items():
            yield path.rpartition("/")[2], time.time() - _seconds(info)

    def _path(self, digest: str) -> str:
        return f"{self._place.root}/{digest[:2]}/{digest}"


def _seconds(info: dict[str, Any]) -> float:
    """When a file was written: local folders say seconds, object stores a moment."""
    moment = info.get("mtime", info.get("LastModified", info.get("created", 0.0)))
    return float(moment.timestamp() if hasattr(moment, "timestamp") else moment)


@contextlib.contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable("The payload store cannot be read or written; check EXPLAINERY_PAYLOADS.") from error
