"""The first reading of an input: how many lines it has, and whether each can be read and has a name of its own."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from explainery.contract.batches import BatchFault
from service.batches.lines import Reader, UnusableInput

STRIDE, STRIDE_BYTES = 2000, 4 * 2**20
"""Most lines and bytes between two moments at which the reader may do something else: keep its leases, for one."""


_DUPLICATE = UnusableInput("duplicate_custom_id", "A line before has the same custom_id.", "custom_id")


class Names:
    """Whether a name came before. Digests in a file that vanishes: millions of names take no memory."""

    def __init__(self) -> None:
        self._known = sqlite3.connect("")
        self._known.execute("PRAGMA cache_size = -8000")
        self._known.execute("CREATE TABLE names (digest BLOB PRIMARY KEY) WITHOUT ROWID")

    def new(self, name: str) -> bool:
        """Take a name in; False when it was there."""
        digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        return self._known.execute("INSERT OR IGNORE INTO names VALUES (?)", (digest,)).rowcount > 0

    def close(self) -> None:
        """Forget all."""
        self._known.close()


def check(reader: Reader, stream: Any) -> Iterator[int | BatchFault]:
    """Read all; gives how many lines there are so far, every so often and at the end, or the fault at which it stops."""
    count = looked_up = 0
    with closing(Names()) as names:
        try:
            for position, line in reader.read(stream, 0, 0):
                count += 1
                if not names.new(line.custom_id):
                    raise _DUPLICATE
                if count % STRIDE == 0 or position - looked_up >= STRIDE_BYTES:
                    looked_up = position
                    yield count
        except UnusableInput as fault:
            at = count if fault.code == "duplicate_custom_id" else count + 1
            yield BatchFault(code=fault.code, message=str(fault), line=at, param=fault.param)
            return
    yield count if count else BatchFault(code="empty_file", message="The input file has no lines.")
