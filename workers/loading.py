"""From a card and its files' bytes to a model that was called once: the same in a trial and in the worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from numpy.typing import NDArray

from explainery.contract.catalogue import Verdict
from explainery.contract.errors import ExplaineryError, MethodUnavailable, ModelUnloadable
from explainery.contract.model_card import ModelCard
from explainery.contract.tensors import NUMPY_NAMES
from workers.card_arrays import baselines_of, sample_of
from workers.device import ran_out_of_memory
from workers.plugins import Model, Place
from workers.registry import Registry
from workers.text.embedding import embedding_of
from workers.text.reader import Reader, readers_of

log = structlog.get_logger()
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Opened:
    """A model ready to be asked. `sample`, `baseline`: arrays by input name, as the card names them; `readers`: its texts'."""

    runtime: str
    model: Model
    sample: Mapping[str, NDArray[Any]]
    baseline: Mapping[str, NDArray[Any]]
    readers: Mapping[str, Reader]
    embedding: str | None = None
    """The layer where gradients of a text are taken."""
    verdict: Verdict | None = None
    """What loading the model has shown; None where that is nothing."""


def opened(card: ModelCard, files: Mapping[str, bytes], registry: Registry, place: Place) -> Opened:
    """Load the model, read its arrays, and call it on its own sample. Raises ModelUnloadable, MemoryError."""
    runtime = registry.runtime_of(card.format)
    if runtime is None:
        raise ModelUnloadable(f"No runtime here loads format {card.format!r}.")
    if reason := runtime.refuses(card, place.settings):
        raise ModelUnloadable(reason)
    model = _guarded(lambda: runtime.load(card, files, place), "The model file cannot be loaded")
    sample = _guarded(lambda: sample_of(card, files), "The sample file cannot be read")
    baseline = _guarded(lambda: baselines_of(card, files), "A baseline file cannot be read")
    readers = _guarded(lambda: readers_of(card, files), "A tokenizer file cannot be used")
    _guarded(lambda: _tried(model, card, sample), "The model cannot be called on the card's own sample")
    verdict: Verdict | None = getattr(model, "verdict", None)
    embedding = None
    if readers:
        looked = _guarded(lambda: _embedding(model, card, sample, readers, verdict), "The model cannot be looked into")
        embedding, verdict = looked
    return Opened(runtime.SPEC.name, model, sample, baseline, readers, embedding, verdict)


def _embedding(
    model: Model,
    card: ModelCard,
    sample: Mapping[str, NDArray[Any]],
    readers: Mapping[str, Reader],
    verdict: Verdict | None,
) -> tuple[str | None, Verdict | None]:
    """Where gradients of the model's text are taken; else the verdict, which says why there are none."""
    known = verdict or Verdict()
    if "gradients" in known.cannot:
        return None, verdict
    try:
        return embedding_of(model, card, sample, next(iter(readers.values())).vocabulary), verdict
    except MethodUnavailable as refusal:
        return None, known.model_copy(update={"cannot": {**known.cannot, "gradients": refusal.detail}})


def _guarded(step: Callable[[], T], what: str) -> T:
    """Run a step that touches a model's own files; any failure is the model's, never the worker's."""
    try:
        return step()
    except (ExplaineryError, MemoryError):
        raise
    except Exception as error:  # a model file may raise anything; the kind of error is told, its text may hold data
        if ran_out_of_memory(error):
            raise MemoryError from error
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
