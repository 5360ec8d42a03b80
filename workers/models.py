"""From a card to a loaded model: the cache of models a worker keeps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext

import structlog

from explainery.contract.catalogue import Verdict
from explainery.contract.errors import ResourceExhausted
from explainery.contract.job import ModelRef
from explainery.contract.model_card import ModelCard
from workers.footprint import Footprint, give_back, in_use, installed
from workers.kept import Kept
from workers.loaded import Loaded
from workers.loading import opened
from workers.named_layers import layers_seen
from workers.one_at_a_time import one_at_a_time
from workers.plugins import Place
from workers.registry import Registry
from workers.repository import Repository, changed
from workers.twins import Twins

log = structlog.get_logger()
Admit = Callable[[ModelRef, ModelCard, Mapping[str, bytes]], None]
SMALL_BYTES = 2**20
"""Files of a model that is not worth waiting for while others load: a stub, or a server's address."""


class ModelCache:
    """Keeps the most recently used models loaded, within a bound of measured bytes and of their number.

    A digest that is no longer in the repository is not answered for. One model is loaded at a time on a host: loading takes
    more memory than the model does. `told` hears of each model that was loaded, and the seconds it took; `judged` of what
    loading a digest has shown. `admit` is asked before files are opened in this process, and raises ModelUnloadable when they
    must not be.
    """

    def __init__(
        self,
        repository: Repository,
        registry: Registry,
        place: Place,
        told: Callable[[ModelRef, float], None] = lambda ref, seconds: None,
        judged: Callable[[str, Verdict], None] = lambda digest, verdict: None,
        admit: Admit = lambda ref, card, files: None,
    ) -> None:
        self._admit = admit
        self._judged = judged
        self._told = told
        self._repository = repository
        self._registry = registry
        self._place = place
        self._kept: Kept[ModelRef, Loaded] = Kept(place.settings.model_cache, bound_of(place))
        self._twins = Twins(place)
        self._known: dict[str, Footprint] = {}
        """What each digest took when it was last loaded."""

    @property
    def device(self) -> str:
        """Where models are loaded."""
        return self._place.device

    @property
    def refs(self) -> tuple[ModelRef, ...]:
        """The loaded models, least recently used first."""
        return tuple(self._kept)

    @property
    def resident(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(f"{ref.name}@{ref.version}" for ref in self.refs)

    @property
    def footprint(self) -> Footprint:
        """What the loaded models take together, as measured when they were loaded."""
        return self._kept.total

    def get(self, ref: ModelRef) -> Loaded:
        """The model, loaded if need be. Raises ModelChanged, ModelUnloadable, ResourceExhausted."""
        if self._repository.find(ref.name, int(ref.version)).digest != ref.digest:
            raise changed(ref.name, ref.version)
        if ref not in self._kept or getattr(self._kept.use(ref).model, "stale", False):
            self._take_in(ref)
        loaded = self._kept.use(ref)
        taken: list[Footprint] = []
        if self._twins.tend(loaded, lambda: taken.append(in_use(self._place.device))):
            self._known[ref.digest] += in_use(self._place.device) - taken[0]
            self._kept.keep(ref, loaded, self._known[ref.digest])
        return loaded

    def stop(self) -> None:
        """End what goes on in other processes."""
        self._twins.stop()

    def _take_in(self, ref: ModelRef) -> None:
        self._kept.drop(lambda other: (other.name, other.version) == (ref.name, ref.version))  # what its files were before
        card, files = self._repository.files(ref.name, int(ref.version), ref.digest)
        self._admit(ref, card, files)
        size = sum(map(len, files.values()))
        lock = self._place.settings.home / "run" / "loading.lock"
        with one_at_a_time(lock) if size > SMALL_BYTES else nullcontext():
            began = time.perf_counter()
            loaded, footprint = self._measured(ref, card, files, self._known.get(ref.digest, Footprint(host=size)))
            self._told(ref, time.perf_counter() - began)
        del files
        self._known[ref.digest] = footprint
        self._kept.keep(ref, loaded, footprint)
        give_back()  # what loading took for a while
        log.info("model_loaded", model=ref.name, version=ref.version, digest=ref.digest, runtime=loaded.runtime,
                 host_bytes=footprint.host, device_bytes=footprint.device)  # fmt: skip

    def _measured(
        self, ref: ModelRef, card: ModelCard, files: Mapping[str, bytes], need: Footprint
    ) -> tuple[Loaded, Footprint]:
        """Load a model, and what it has taken. When memory runs out all others go, and it is tried once more."""
        if self._kept.make_room(need):
            give_back()
        for last in (False, True):
            before = in_use(self._place.device)
            try:
                loaded = self._load(ref, card, files)
                return loaded, in_use(self._place.device) - before
            except MemoryError:
                if last:
                    break
            self._kept.drop(lambda other: True)
            give_back()
        raise ResourceExhausted("Memory ran out while the model was loaded; use a worker with more memory.")

    def _load(self, ref: ModelRef, card: ModelCard, files: Mapping[str, bytes]) -> Loaded:
        made = opened(card, files, self._registry, self._place)
        verdict = made.verdict
        if not self._place.settings.trials and (layers := layers_seen(made.model)):  # else its trial has shown them
            verdict = (verdict or Verdict()).model_copy(update={"layers": layers})
        if verdict is not None:
            self._judged(ref.digest, verdict)
        return Loaded(ref, card, made.runtime, made.model, made.sample, made.baseline, made.readers, made.embedding)


def bound_of(place: Place) -> Footprint:
    """What the loaded models may take: as set, on host and device each; else half of what there is, shared by the workers."""
    if asked := place.settings.model_cache_bytes:
        return Footprint(asked, asked)
    there = installed(place.device)
    return Footprint(there.host // 2 // place.settings.workers, there.device // 2)
