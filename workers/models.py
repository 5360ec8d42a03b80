"""From a card to a loaded model: the cache of models a worker keeps."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from numpy.typing import NDArray

from explainery.contract.catalogue import Verdict
from explainery.contract.errors import ExplaineryError, ModelUnloadable
from explainery.contract.job import ModelRef
from explainery.contract.model_card import ModelCard
from explainery.contract.tensors import NUMPY_NAMES
from workers.card_arrays import baselines_of, sample_of
from workers.plugins import Model, Place
from workers.registry import Registry
from workers.repository import Repository, changed

log = structlog.get_logger()
T = TypeVar("T")


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
    """

    def __init__(
        self,
        repository: Repository,
        registry: Registry,
        place: Place,
        told: Callable[[ModelRef, float], None] = lambda ref, seconds: None,
        judged: Callable[[str, Verdict], None] = lambda digest, verdict: None,
    ) -> None:
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
        if ref not in self._loaded or getattr(self._loaded[ref].model, "stale", False):
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
        runtime = self._registry.runtime_of(card.format)
        if runtime is None:
            raise ModelUnloadable(f"No runtime here loads format {card.format!r}.")
        if reason := runtime.refuses(card, self._place.settings):
            raise ModelUnloadable(reason)
        model = _guarded(lambda: runtime.load(card, files, self._place), "The model file cannot be loaded")
        sample = _guarded(lambda: sample_of(card, files), "The sample file cannot be read")
        baseline = _guarded(lambda: baselines_of(card, files), "A baseline file cannot be read")
        _guarded(lambda: _tried(model, card, sample), "The model cannot be called on the card's own sample")
        verdict: Verdict | None = getattr(model, "verdict", None)
        if verdict is not None:
            self._judged(ref.digest, verdict)
        log.info("model_loaded", model=ref.name, version=ref.version, digest=ref.digest, runtime=runtime.SPEC.name)
        return Loaded(ref, card, runtime.SPEC.name, model, sample, baseline)


def _guarded(step: Callable[[], T], what: str) -> T:
    """Run a step that touches a model's own files; any failure is the model's, never the worker's."""
    try:
        return step()
    except ExplaineryError:
        raise
    except Exception as error:  # a model file may raise anything; the kind of error is told, its text may hold data
        log.warning("model_unloadable", what=what, exc_info=True)
        raise ModelUnloadable(f"{what} ({type(error).__name__}). Check it with `explainery models check`.") from error


def _tried(model: Model, card: ModelCard, sample: Mapping[str, NDArray[Any]]) -> None:
    """Call the model on the first sample row: warms it up, and shows what the card says wrongly before a job does."""
    if not sample:
        return
    rows = {spec.name: model.place(sample[spec.name][:1].astype(NUMPY_NAMES[spec.datatype])) for spec in card.inputs}
    columns, told = model.fetch(model.forward(rows)).shape[1], card.score_output.columns
    if told is not None and columns != told:
        raise ModelUnloadable(
            f"The output {card.score_output.name} has {columns} columns, its card says {told}; correct the card's shape."
        )
