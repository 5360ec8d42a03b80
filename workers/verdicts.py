"""What is known of each model's file beyond its card, by digest. No file is opened in this process before its trial has passed.

Without trials (EXPLAINERY_TRIALS=0) a file is looked at here, where its runtime knows how to look without running it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from explainery.contract.catalogue import Verdict
from explainery.contract.errors import ModelChanged, ModelUnloadable
from explainery.contract.job import ModelRef
from explainery.contract.layers import LayerSpec
from explainery.contract.model_card import ModelCard
from explainery.settings import Settings
from workers.plugins import InspectHook
from workers.registry import Registry
from workers.repository import Found, Repository
from workers.trial.ahead import Ahead
from workers.trial.trials import Trials

log = structlog.get_logger()


class Verdicts:
    """Verdicts by digest: from a model's trial, or from looking at its file; then from loading it.

    `trials`: None does without. `changed` hears when a trial has shown something, `layered` which layers a model has.
    """

    def __init__(
        self,
        repository: Repository,
        registry: Registry,
        settings: Settings,
        trials: Trials | None = None,
        changed: Callable[[], None] = lambda: None,
        layered: Callable[[str, Sequence[LayerSpec]], None] = lambda digest, layers: None,
    ) -> None:
        self._repository = repository
        self._registry = registry
        self._settings = settings
        self._trials = trials
        self._changed = changed
        self._layered = layered
        self._ahead = Ahead(self._try)
        self._looked_at: dict[str, Verdict | None] = {}
        self._loaded: dict[str, Verdict] = {}

    def start(self) -> None:
        """Try in the background what is found, so that the catalogue knows before a job asks."""
        if self._trials is not None:
            self._ahead.start()

    def stop(self) -> None:
        """End the trial that is held now, and hold no more."""
        if self._trials is not None:
            self._trials.stop()
            self._ahead.stop()

    def of(self, digest: str) -> Verdict | None:
        """The verdict, or None where nothing is known."""
        return self._loaded.get(digest) or self._looked_at.get(digest)

    def note(self, digest: str, verdict: Verdict) -> None:
        """What loading the model has shown; what its trial has measured stays."""
        tried = self._looked_at.get(digest)
        kept = {"need_bytes": tried.need_bytes, "layers": tried.layers or verdict.layers} if tried else {}
        self._loaded[digest] = verdict.model_copy(update=kept)
        if verdict.layers:
            self._layered(digest, verdict.layers)

    def admit(self, ref: ModelRef, card: ModelCard, files: Mapping[str, bytes]) -> None:
        """Let files be opened in this process: their trial has passed, or is held now and passes, or there is nothing to try.

        Raises ModelUnloadable when it does not pass, ResourceExhausted when it could not be held.
        """
        if self._trials is None or not self._to_try(card):
            return
        verdict = self._looked_at.get(ref.digest)
        if verdict is None:
            with self._ahead.after_me():
                verdict = self._trials.judge(ref.digest, files)
            self._learn(ref.digest, verdict)
        if verdict.refused is not None:
            raise ModelUnloadable(verdict.refused)

    def look(self, models: Iterable[Found]) -> None:
        """Look at the models that are new here, and at refusals that may have run out; forget those that are gone."""
        models = list(models)
        for known in (self._looked_at, self._loaded):
            for digest in set(known) - {found.digest for found in models}:
                del known[digest]
        if self._trials is not None:
            self._look_up(self._trials, [found for found in models if found.card is not None and self._to_try(found.card)])
            return
        for found in models:
            if found.digest not in self._looked_at:
                self._looked_at[found.digest] = self._inspected(found)

    def _look_up(self, trials: Trials, models: list[Found]) -> None:
        """Take the verdicts that are published; the rest waits for its trial."""
        unknown = [found for found in models if (known := self._looked_at.get(found.digest)) is None or known.refused]
        published = trials.published([found.digest for found in unknown])
        for found in unknown:
            self._looked_at[found.digest] = known = published.get(found.digest)
            if known is not None and known.layers:
                self._layered(found.digest, known.layers)
        self._ahead.wait_for(found for found in unknown if found.digest not in published)

    def _to_try(self, card: ModelCard) -> bool:
        """Whether there is a file to open, and a runtime that would."""
        runtime = self._registry.runtime_of(card.format)
        return card.file is not None and runtime is not None and runtime.refuses(card, self._settings) is None

    def _try(self, found: Found) -> None:
        if self._trials is None or self._looked_at.get(found.digest) is not None:
            return
        try:
            _, files = self._repository.files(found.name, found.version, found.digest)
        except ModelChanged:
            return  # its next digest is looked at by the next scan
        self._learn(found.digest, self._trials.judge(found.digest, files))

    def _learn(self, digest: str, verdict: Verdict) -> None:
        self._looked_at[digest] = verdict
        if verdict.layers:
            self._layered(digest, verdict.layers)
        self._changed()

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
