"""Whether jobs on a model can be worked on now."""

from __future__ import annotations

from explainery.contract.catalogue import ModelEntry
from service.parts import parts


def is_ready(entry: ModelEntry) -> bool:
    """Whether a model can be used, and a worker is alive."""
    return entry.fault is None and bool(parts().catalogue.workers())
