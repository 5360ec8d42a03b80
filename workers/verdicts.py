"""What is known of each model's file beyond its card: kept by digest, so that a file is looked at once per process."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from explainery.contract.catalogue import Verdict
from explainery.contract.errors import ModelChanged
from workers.plugins import InspectHook
from workers.registry import Registry
from workers.repository import Found, Repository

log = structlog.get_logger()


class Verdicts:
    """Verdicts by digest: from looking at the file when it is found, then from loading it."""

    def __init__(self, repository: Repository, registry: Registry) -> None:
        self._repository = repository
        self._registry = registry
        self._looked_at: dict[str, Verdict | None] = {}
        self._loaded: dict[str, Verdict] = {}

    def of(self, digest: str) -> Verdict | None:
        """The verdict, or None where nothing is known."""
        return self._loaded.get(digest) or self._looked_at.get(digest)

    def note(self, digest: str, verdict: Verdict) -> None:
        """What loading the model has shown."""
        self._loaded[digest] = verdict

    def look(self, models: Iterable[Found]) -> None:
        """Look at the models that are new here; forget those that are gone."""
        models = list(models)
        for found in models:
            if found.digest not in self._looked_at:
                self._looked_at[found.digest] = self._inspected(found)
        for known in (self._looked_at, self._loaded):
            for digest in set(known) - {found.digest for found in models}:
                del known[digest]

    def _inspected(self, found: Found) -> Verdict | None:
        runtime = None if found.card is None else self._registry.runtime_of(found.card.format)
        inspect: InspectHook | None = getattr(runtime, "inspect", None)
        if inspect is None:
            return None
        try:
            card, files = self._repository.files(found.name, found.version, found.digest)
            return inspect(card, files)
        except ModelChanged:
            return None  # its next digest is looked at by the next scan
        except Exception:  # a file may be broken in any way: whoever asks for it is told when it is loaded
            log.warning("model_not_inspected", model=found.name, version=found.version, exc_info=True)
            return None
