"""The checks a job asks for: known, complete with their parameters, and such as this model and method can have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from explainery.contract.catalogue import CheckSpec, MethodSpec, ModelEntry
from explainery.contract.errors import CheckUnavailable, InvalidParameter
from explainery.contract.job import CheckIn, CheckOrder
from explainery.contract.links import of_margin
from service.faults import refusal
from service.shelf import Shelf

NOT_JUDGED = {
    "layer": "its values are those of a layer",
    "unit": "its values are parts in a unit inside the model",
    "maps": "it has only maps",
}
"""Why a method's values cannot be held against the explained output."""


def read_quality(
    asked: Sequence[str | CheckIn], method: MethodSpec, params: Mapping[str, Any], entry: ModelEntry, shelf: Shelf
) -> tuple[CheckOrder, ...]:
    """The checks as a worker runs them. Raises UnknownCheck, InvalidParameter, CheckUnavailable."""
    margin = of_margin(method, params, entry.verdict)
    orders: dict[str, CheckOrder] = {}
    for number, each in enumerate(asked):
        loc = f"quality.{number}"
        name, given = (each, {}) if isinstance(each, str) else (each.check, each.model_extra or {})
        spec = shelf.check(name, loc)
        if spec.name in orders:
            raise refusal(InvalidParameter, loc, f"{loc} asks for {spec.name} a second time; a check is run once.")
        _check_method(spec, method, loc)
        if margin and spec.of_output:
            detail = f"{spec.name} holds attributions against the output's changes, and those of the margin are in other units."
            raise refusal(CheckUnavailable, loc, detail)
        _check_model(spec, entry, loc)
        orders[spec.name] = CheckOrder(check=spec.name, params=spec.complete(given, loc))
    return tuple(orders.values())


def _check_method(check: CheckSpec, method: MethodSpec, loc: str) -> None:
    reason = "it answers for the job as a whole" if method.level == "job" else NOT_JUDGED.get(method.about)
    if reason is not None:
        detail = (
            f"{check.name} checks what each input adds to the explained output, which {method.name} does not say: {reason}."
        )
        raise refusal(CheckUnavailable, loc, detail)


def _check_model(check: CheckSpec, entry: ModelEntry, loc: str) -> None:
    availability = entry.checks.get(check.name)
    if availability is None or not availability.available:
        reason = availability.reason if availability and availability.reason else "no worker that serves the model offers it"
        works = ", ".join(name for name, each in entry.checks.items() if each.available) or "none"
        detail = f"{check.name} cannot be run on {entry.name}: {reason.rstrip('.')}. Checks that work: {works}"
        raise refusal(CheckUnavailable, loc, detail)
