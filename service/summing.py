"""What a batch's explanations say together, read from where its coordinator keeps it."""

from __future__ import annotations

from typing import Any

from explainery.contract.errors import FileNotFound
from explainery.store.batches import BatchStore
from explainery.store.files import FileStore
from service.batches.summary import Summary


def summary_document(files: FileStore, batches: BatchStore, batch: str) -> dict[str, Any]:
    """The sums so far. Raises BatchNotFound, FileNotFound when the output file was deleted."""
    try:
        return _read(files, batches, batch)
    except FileNotFound:  # a coordinator has just put newer ones in their place
        return _read(files, batches, batch)


def _read(files: FileStore, batches: BatchStore, batch: str) -> dict[str, Any]:
    known = batches.progress(batch)
    if not known.summary:
        return Summary().document()
    with files.bytes.reading(known.output, known.summary) as stream:
        return Summary.load(stream.read()).document()
