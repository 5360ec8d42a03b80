"""Refusals that point at one place in the request."""

from __future__ import annotations

from typing import TypeVar

from explainery.contract.errors import RequestRefused

Refusal = TypeVar("Refusal", bound=RequestRefused)


def fault(kind: type[Refusal], loc: str, message: str) -> Refusal:
    """Return a refusal of one fault: the detail and `errors` say the same. `message` follows the place: "must be ..."."""
    return kind(f"{loc} {message}", [{"loc": loc, "msg": message}])


def refusal(kind: type[Refusal], loc: str, detail: str) -> Refusal:
    """Return a refusal whose detail is a sentence of its own, and whose one fault lies at `loc`."""
    return kind(detail, [{"loc": loc, "msg": detail}])
