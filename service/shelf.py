"""What the workers offer, arranged for looking things up: models by name and version, methods and checks by name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from explainery.contract.auto import AUTO
from explainery.contract.catalogue import CheckSpec, MethodSpec, ModelEntry, Offer
from explainery.contract.errors import (
    MethodUnavailable,
    ModelNotUsable,
    UnknownCheck,
    UnknownMethod,
    UnknownModel,
    UnknownModelVersion,
)
from service.faults import refusal

PREDICT = "predict"
"""The method that gives a model's answers, which are no explanation."""
NAMES_SHOWN = 8
"""Most names a refusal lists."""


class Shelf:
    """One offer, indexed. `models`: name -> versions, newest first. `methods`: those on offer, without "auto"."""

    def __init__(self, offer: Offer) -> None:
        self.offer = offer
        self.methods: dict[str, MethodSpec] = {spec.name: spec for spec in offer.methods}
        self.checks: dict[str, CheckSpec] = {spec.name: spec for spec in offer.checks}
        self.models: dict[str, list[ModelEntry]] = {}
        for entry in sorted(offer.models, key=lambda entry: (entry.name, -entry.version)):
            self.models.setdefault(entry.name, []).append(entry)

    def versions(self, reference: str) -> list[ModelEntry]:
        """Versions of `name`, newest first, or the one version of `name@version`. Raises UnknownModel, UnknownModelVersion."""
        name, _, version = reference.partition("@")
        entries = self.models.get(name)
        if entries is None:
            raise refusal(UnknownModel, "model", f"There is no model of that name; {_nearest(name, self.models, 'models')}")
        if "@" not in reference:
            return entries
        wanted = [entry for entry in entries if str(entry.version) == version]
        if not wanted:
            listed = ", ".join(str(entry.version) for entry in entries)
            raise refusal(UnknownModelVersion, "model", f"Model {name} has no such version; it has: {listed}")
        return wanted

    def usable(self, reference: str) -> ModelEntry:
        """The version a job names, the newest when it names none. Raises ModelNotUsable when its card or file is broken."""
        entry = self.versions(reference)[0]
        if entry.fault is not None:
            raise refusal(ModelNotUsable, "model", f"Model {entry.name}@{entry.version} cannot be used: {entry.fault}")
        return entry

    def method(self, name: str) -> MethodSpec:
        """A method by name, "auto" included. Raises UnknownMethod."""
        spec = AUTO if name == AUTO.name else self.methods.get(name)
        if spec is None:
            nearest = _nearest(name, [AUTO.name, *self.methods], "methods")
            raise refusal(UnknownMethod, "method", f"There is no method of that name; {nearest}")
        return spec

    def check(self, name: str, loc: str) -> CheckSpec:
        """A quality check by name, which stands at `loc`. Raises UnknownCheck."""
        spec = self.checks.get(name)
        if spec is None:
            nearest = _nearest(name, self.checks, "quality-checks")
            raise refusal(UnknownCheck, loc, f"There is no check of that name; {nearest}")
        return spec


def check_available(entry: ModelEntry, spec: MethodSpec) -> None:
    """Raise MethodUnavailable when the method does not work on the model: says why, and names methods that do."""
    availability = entry.methods.get(spec.name)
    if availability is not None and availability.available:
        return
    reason = availability.reason if availability and availability.reason else "no worker that serves the model offers it"
    works = ", ".join(working(entry)) or "none"
    detail = f"{spec.name} cannot explain {entry.name}: {reason.rstrip('.')}. Methods that work: {works}"
    raise refusal(MethodUnavailable, "method", detail)


def working(entry: ModelEntry) -> list[str]:
    """Names of the methods that explain a model."""
    return [name for name, availability in entry.methods.items() if availability.available and name != PREDICT]


def _nearest(name: str, known: Iterable[str], kind: str) -> str:
    """What to ask for in place of `name`, which itself is not repeated."""
    names = sorted(known)
    close = get_close_matches(name[:128], names, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(close)}?"
    more = f" and {len(names) - NAMES_SHOWN} more, see /v1/{kind}" if len(names) > NAMES_SHOWN else ""
    return f"there are: {', '.join(names[:NAMES_SHOWN]) or 'none'}{more}"
