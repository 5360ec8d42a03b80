"""Where the bytes of files lie: in a folder, or at any fsspec URL. Streamed in and out; an output file is a row of parts."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

from explainery.contract.errors import FileNotFound, StoreUnavailable
from explainery.settings import Settings
from explainery.store.place import Place

BLOCK_BYTES = 2**18
WHOLE = "whole"
"""The only part of a file that was uploaded."""


class BatchFiles:
    """Every method raises StoreUnavailable when the store cannot be read or written."""

    def __init__(self, settings: Settings) -> None:
        self._place = Place(settings.files_url)

    @contextlib.contextmanager
    def writing(self, file: str, part: str) -> Iterator[Any]:
        """A part to write to, as a binary file. It is there when the block ends, and not at all when that raises."""
        with _store_errors():
            path = self._path(file, part)
            self._place.files.makedirs(path.rpartition("/")[0], exist_ok=True)
            stream = self._place.files.open(path, "wb")
        try:
            yield stream
        except BaseException:
            with contextlib.suppress(OSError, StoreUnavailable):
                stream.close()
                self.drop(file, part)
            raise
        with _store_errors():
            _persist(stream)
            stream.close()

    @contextlib.contextmanager
    def reading(self, file: str, part: str = WHOLE) -> Iterator[Any]:
        """A part to read and seek in, as a binary file. Raises FileNotFound."""
        with _store_errors():
            stream = self._place.files.open(self._path(file, part), "rb")
        with stream:
            yield stream

    def blocks(self, file: str, parts: Sequence[tuple[str, int]], first: int = 0, count: int | None = None) -> Iterator[bytes]:
        """The bytes of a file from `first` on, its parts (name and size) one after another. `count`: so many, None for all."""
        left = sum(size for _, size in parts) if count is None else count
        for part, size in parts:
            if first >= size:
                first -= size  # nothing of this part is asked for, so it is not opened
                continue
            if left <= 0:
                return
            with self.reading(file, part) as stream:
                stream.seek(first)
                first = 0
                while left > 0 and (block := stream.read(min(BLOCK_BYTES, left))):
                    left -= len(block)
                    yield block

    def drop(self, file: str, part: str) -> None:
        """Delete a part, if it is there."""
        with contextlib.suppress(FileNotFound), _store_errors():
            self._place.files.rm_file(self._path(file, part))

    def delete(self, file: str) -> None:
        """Delete a file with all that was ever written for it."""
        with contextlib.suppress(FileNotFound), _store_errors():
            self._place.files.rm(f"{self._place.root}/{file}", recursive=True)

    def files(self) -> Iterator[str]:
        """Every file there is something of."""
        with contextlib.suppress(FileNotFound), _store_errors():
            yield from (path.rstrip("/").rpartition("/")[2] for path in self._place.files.ls(self._place.root, detail=False))

    def _path(self, file: str, part: str) -> str:
        return f"{self._place.root}/{file}/{part}"


def _persist(stream: Any) -> None:
    """Have a local file on the disk before anybody notes that it is there; an object store keeps what it has acknowledged."""
    stream.flush()
    with contextlib.suppress(AttributeError, OSError, ValueError):  # no file of this machine
        os.fsync(stream.fileno())


@contextlib.contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise FileNotFound("The file is not there any more.") from None
    except OSError as error:
        raise StoreUnavailable("The store of files cannot be read or written; check EXPLAINERY_FILES.") from error
