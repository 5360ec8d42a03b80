"""Which method answers a job, with its complete parameters; `auto` is settled here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from explainery.contract.auto import AUTO, choose, passed_on
from explainery.contract.catalogue import MethodSpec, ModelEntry
from explainery.contract.concept_sets import read_sets
from explainery.contract.errors import TooManyFeatures
from explainery.contract.job import JobRequest
from service.faults import refusal
from service.features import check_sizes, count_players
from service.shelf import Shelf, check_available, working
from service.trees import check_tree


@dataclass(frozen=True)
class Choice:
    """A method, its complete parameters, why `auto` chose it, and how many players there are (None: a worker can tell)."""

    spec: MethodSpec
    params: dict[str, Any]
    players: int | None
    reason: str | None = None


def check_method(request: JobRequest, entry: ModelEntry, shelf: Shelf) -> None:
    """Check what needs no rows. Raises UnknownMethod, MethodUnavailable, InvalidParameter."""
    spec = shelf.method(request.method)
    if spec is not AUTO:
        check_available(entry, spec)
    spec.complete(request.params)


def choose_method(request: JobRequest, entry: ModelEntry, shelf: Shelf, shapes: Mapping[str, tuple[int, ...]]) -> Choice:
    """The method and its parameters. Raises InvalidParameter, TooManyFeatures and, for auto, MethodUnavailable."""
    spec = shelf.method(request.method)
    given = spec.complete(request.params)
    players = players_of(entry, given, shapes)
    if spec is AUTO:
        name, reason = choose(entry, shelf.methods, given, players)
        chosen = shelf.methods[name]
        return Choice(chosen, chosen.complete(passed_on(chosen, given)), players, reason)
    for param in spec.params:
        if param.type == "sizes":
            check_sizes(entry.card, param.name, given[param.name], shapes)
        if param.type == "tree":
            check_tree(entry.card, param.name, given[param.name], given.get("features"), players)
    if spec.max_players is not None and players is not None and players > spec.max_players:
        raise refusal(TooManyFeatures, "method", _too_many(spec, entry, shelf, players))
    return Choice(spec, given, players)


def check_sets(choice: Choice, rows: int) -> None:
    """Check what a label per row makes of the rows. Raises InvalidParameter, ConceptSetTooSmall."""
    for param in choice.spec.params:
        if param.type == "sets":
            read_sets(choice.params[param.name], rows)


def players_of(entry: ModelEntry, params: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    """How many players a job has; None where only a worker can tell. Raises InvalidParameter."""
    features = params.get("features")
    if features is None and entry.players is not None:
        return entry.players
    return count_players(entry.card, features, shapes)


def _too_many(spec: MethodSpec, entry: ModelEntry, shelf: Shelf, players: int) -> str:
    known = [shelf.methods[name] for name in working(entry) if name in shelf.methods]
    unlimited = [spec.name for spec in known if spec.max_players is None and spec.level == "row"]
    grouped = (
        ", or group features with the parameter features" if any(param.name == "features" for param in spec.params) else ""
    )
    names = ", ".join(unlimited) or "none"
    return f"{spec.name} takes at most {spec.max_players} features, and there are {players}; use one of: {names}{grouped}."
