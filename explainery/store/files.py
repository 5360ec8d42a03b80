"""Files of batches: their records in Redis, and their bytes beside them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explainery.contract.batches import FileObject
from explainery.contract.errors import FileInUse, FileNotFound, QuotaExceeded, StoreUnavailable
from explainery.settings import Settings
from explainery.store.batch_files import WHOLE, BatchFiles
from explainery.store.connection import store_errors
from explainery.store.ids import made_ms, new_job_id
from explainery.store.keys import key
from explainery.store.pages import page_of
from explainery.store.scripting import Step

if TYPE_CHECKING:
    from redis import Redis

STEPS = ("reserve", "shelve", "discard")
STRAY_MS = 86_400_000
"""How old a file that nobody knows of must be: an upload may still be going on."""
SWEPT = 100
"""Most files that one sweep deletes."""


@dataclass(frozen=True)
class NewFile:
    """A file that was uploaded. `kept_s`: None as long as the setting says."""

    id: str
    tenant: str
    name: str
    format: str
    bytes: int
    kept_s: int | None = None


class FileStore:
    """Every method raises StoreUnavailable when Redis or the store of files does not answer."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._ttl_s = settings.file_ttl_s
        self._steps = {name: Step(redis, settings, name) for name in STEPS}
        self.bytes = BatchFiles(settings)

    @staticmethod
    def new_id() -> str:
        """An id for a new file."""
        return f"file-{new_job_id()}"

    @contextlib.contextmanager
    def uploading(self, tenant: str, about: int, most: int) -> Iterator[str]:
        """The id of a file that is to be written now and noted by `add`; when the block raises, nothing is left of it.

        `about`: bytes that it will have, set aside meanwhile; `most`: that the tenant may store, 0 for any number.
        Raises QuotaExceeded.
        """
        file = self.new_id()
        self._reserve(file, tenant, about, most)
        try:
            yield file
        except BaseException:
            with contextlib.suppress(StoreUnavailable):  # then `sweep` does it in a day
                self.bytes.delete(file)
                self._release(file)
            raise

    @store_errors()
    def add(self, file: NewFile, most: int = 0) -> FileObject:
        """Note a file whose bytes are there. `most`: bytes that its tenant may store; past it, QuotaExceeded."""
        kept_ms = (file.kept_s or self._ttl_s) * 1000
        if not self._steps["shelve"](file.id, file.tenant, file.name, "batch", file.format, file.bytes, kept_ms, most):
            raise _over()
        return self.get(file.tenant, file.id)

    @store_errors()
    def get(self, tenant: str, file: str) -> FileObject:
        """One of a tenant's files. Raises FileNotFound."""
        return _object(file, self._record(tenant, file))

    @store_errors()
    def format(self, tenant: str, file: str) -> str:
        """What is in a file: jsonl, csv or parquet. Raises FileNotFound."""
        return self._record(tenant, file)[b"format"].decode()

    @store_errors()
    def page(
        self, tenant: str, *, after: str | None, limit: int, purpose: str | None = None, oldest_first: bool = False
    ) -> tuple[list[FileObject], bool]:
        """A tenant's files behind `after`, and whether there are more. Raises RequestRefused for an `after` that is none."""

        def read(file: str) -> FileObject | None:
            record: Any = self._redis.hgetall(key("file", file))
            return _object(file, record) if record and purpose in (None, record[b"purpose"].decode()) else None

        return page_of(self._redis, key("files", tenant), after, limit, read, oldest_first=oldest_first)

    @store_errors()
    def content(self, tenant: str, file: str, first: int = 0, count: int | None = None) -> Iterator[bytes]:
        """The bytes of a file from `first` on, `count` of them or all. Raises FileNotFound."""
        record = self._record(tenant, file)
        named: Any = self._redis.lrange(key("parts", file), 0, -1)
        pairs = [part.decode().rpartition(" ") for part in named]
        parts = [(name, int(size)) for name, _, size in pairs] or [(WHOLE, int(record[b"bytes"]))]
        return self.bytes.blocks(file, parts, first, count)

    @store_errors()
    def delete(self, tenant: str, file: str) -> None:
        """Delete a file. Raises FileNotFound, FileInUse while a batch reads it."""
        self._record(tenant, file)
        if not self._steps["discard"](file):
            raise FileInUse("A batch that has not ended reads this file; cancel that first.")
        self.bytes.delete(file)

    @store_errors()
    def sweep(self) -> int:
        """Delete files whose time is over; how many."""
        due: Any = self._redis.zrangebyscore(key("files_due"), "-inf", time.time() * 1000, start=0, num=SWEPT)
        gone = 0
        for file in (each.decode() for each in due):
            if self._redis.exists(key("readers", file)):
                continue
            self.bytes.delete(file)
            gone += self._steps["discard"](file)
        return gone

    @store_errors()
    def sweep_strays(self) -> int:
        """Delete what uploads and batches that broke off have left behind; how many files that were."""
        strays = [file for file in self.bytes.files() if self._astray(file)]
        for file in strays:
            self.bytes.delete(file)
        return len(strays)

    @store_errors()
    def _reserve(self, file: str, tenant: str, about: int, most: int) -> None:
        if not self._steps["reserve"](file, tenant, about, most, STRAY_MS):
            raise _over()

    @store_errors()
    def _release(self, file: str) -> None:
        self._steps["discard"](file)

    def _astray(self, file: str) -> bool:
        """Whether nobody knows of a file: it has no record, and no batch that still writes it."""
        _, ulid, *_ = [*file.split("-"), ""]
        try:
            young = time.time() * 1000 - made_ms(ulid) < STRAY_MS
        except ValueError:
            return False  # none of ours
        known: Any = self._redis.exists(key("file", file), key("batch", f"batch_{ulid}"))
        return not young and not known

    def _record(self, tenant: str, file: str) -> Mapping[bytes, bytes]:
        record: Any = self._redis.hgetall(key("file", file))
        if not record or record[b"tenant"].decode() != tenant:
            raise FileNotFound("There is no file of that id.")
        known: Mapping[bytes, bytes] = record
        return known


def _over() -> QuotaExceeded:
    return QuotaExceeded("Your tenant has stored as many bytes as it may; delete some of it.", "bytes", 60)


def _object(file: str, record: Mapping[bytes, bytes]) -> FileObject:
    purpose: Any = record[b"purpose"].decode()
    return FileObject(
        id=file,
        bytes=int(record[b"bytes"]),
        created_at=int(record[b"created"]) // 1000,
        expires_at=int(record[b"expires"]) // 1000,
        filename=record[b"name"].decode(),
        purpose=purpose,
        tenant=record[b"tenant"].decode(),
    )
