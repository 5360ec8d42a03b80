"""Several workers' offers as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from explainery.contract.catalogue import ModelEntry, Offer

Part = TypeVar("Part")


def merge(offers: Sequence[Offer]) -> Offer:
    """The union by name, of models by (name, version, digest). Of equals the first offer's is kept: give the newest first.

    A model that one worker can use and another cannot is offered as usable; what one has measured of it stands for all.
    """
    models = sorted((model for offer in offers for model in offer.models), key=_rank)
    return Offer(
        methods=_first((method for offer in offers for method in offer.methods), lambda method: method.name),
        runtimes=_first((runtime for offer in offers for runtime in offer.runtimes), lambda runtime: runtime.name),
        checks=_first((check for offer in offers for check in offer.checks), lambda check: check.name),
        models=_first(models, lambda model: (model.name, model.version, model.digest)),
        room_bytes=max((offer.room_bytes for offer in offers if offer.room_bytes is not None), default=None),
    )


def _rank(model: ModelEntry) -> tuple[bool, bool, bool]:
    """Usable before faulty, judged before looked at, looked at before unknown."""
    judged = model.verdict is not None and (bool(set(model.verdict.cannot) - {"trees"}) or model.verdict.parity is not None)
    return model.fault is not None, not judged, model.verdict is None


def _first(parts: Iterable[Part], identity: Callable[[Part], object]) -> tuple[Part, ...]:
    kept: dict[object, Part] = {}
    for part in parts:
        kept.setdefault(identity(part), part)
    return tuple(kept.values())
