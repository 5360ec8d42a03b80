"""Several workers' offers as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from explainery.contract.catalogue import ModelEntry, Offer

Part = TypeVar("Part")


def merge(offers: Sequence[Offer]) -> Offer:
    """The union by name, of models by (name, version, digest). Of equals the first offer's is kept: give the newest first.

    A model that one worker can use and another cannot is offered as usable.
    """
    models = sorted((model for offer in offers for model in offer.models), key=_faulty)
    return Offer(
        methods=_first((method for offer in offers for method in offer.methods), lambda method: method.name),
        runtimes=_first((runtime for offer in offers for runtime in offer.runtimes), lambda runtime: runtime.name),
        models=_first(models, lambda model: (model.name, model.version, model.digest)),
    )


def _faulty(model: ModelEntry) -> bool:
    return model.fault is not None


def _first(parts: Iterable[Part], identity: Callable[[Part], object]) -> tuple[Part, ...]:
    kept: dict[object, Part] = {}
    for part in parts:
        kept.setdefault(identity(part), part)
    return tuple(kept.values())
