"""From a card to a loaded model: the cache of models a worker keeps."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from numpy.typing import NDArray

from explainery.contract.catalogue import Verdict
from explainery.contract.job import ModelRef
from explainery.contract.model_card import ModelCard
from workers.loading import opened
from workers.plugins import Model, Place
from workers.registry import Registry
from workers.repository import Repository, changed

log = structlog.get_logger()
Admit = Callable[[ModelRef, ModelCard, Mapping[str, bytes]], None]


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model ready to be asked. `sample` and `baseline`: arrays by input name, as the card names them."""

    ref: ModelRef
    card: ModelCard
    runtime: str
    model: Model
    sample: Mapping[str, NDArray[Any]]
    baseline: Mapping[str, NDArray[Any]]


class ModelCache:
    """Keeps the most recently used models loaded; a digest that is no longer in the repository is not answered for.

    `told` hears of each model that was loaded, and the seconds it took; `judged` of what loading a digest has shown.
    `admit` is asked before files are opened in this process, and raises ModelUnloadable when they must not be.
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
        self._loaded: OrderedDict[ModelRef, Loaded] = OrderedDict()

    @property
    def device(self) -> str:
        """Where models are loaded."""
        return self._place.device

    @property
    def refs(self) -> tuple[ModelRef, ...]:
        """The loaded models, least recently used first."""
        return tuple(self._loaded)

    @property
    def resident(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(f"{ref.name}@{ref.version}" for ref in self.refs)

    def get(self, ref: ModelRef) -> Loaded:
        """The model, loaded if need be. Raises ModelChanged, ModelUnloadable."""
        if self._repository.find(ref.name, int(ref.version)).digest != ref.digest:
            raise changed(ref.name, ref.version)
        if ref not in self._loaded:
            self._make_room(ref)
            began = time.perf_counter()
            self._loaded[ref] = self._load(ref)
            self._told(ref, time.perf_counter() - began)
        self._loaded.move_to_end(ref)
        return self._loaded[ref]

    def _make_room(self, ref: ModelRef) -> None:
        """Forget what the files of this version were before, and what was not used for longest."""
        for other in tuple(self._loaded):
            if (other.name, other.version) == (ref.name, ref.version):
                del self._loaded[other]
        while len(self._loaded) >= self._place.settings.model_cache:
            self._loaded.popitem(last=False)

    def _load(self, ref: ModelRef) -> Loaded:
        card, files = self._repository.files(ref.name, int(ref.version), ref.digest)
        self._admit(ref, card, files)
        made = opened(card, files, self._registry, self._place)
        verdict: Verdict | None = getattr(made.model, "verdict", None)
        if verdict is not None:
            self._judged(ref.digest, verdict)
        log.info("model_loaded", model=ref.name, version=ref.version, digest=ref.digest, runtime=made.runtime)
        return Loaded(ref, card, made.runtime, made.model, made.sample, made.baseline)
