"""Sums of trees behind a function: Shapley values of the sum, the margin, are not those of the output that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from explainery.contract.catalogue import MethodSpec, Verdict
from explainery.contract.errors import InvalidParameter

OUTPUT, MARGIN = "output", "margin"
"""What the parameter `link` says is explained."""
LOC = "params.link"


def margin_wanted(link: str) -> InvalidParameter:
    """The refusal of a job that asks for the output where a function makes it of the trees' sum."""
    message = (
        f"the output is a {link} function of the sum of the trees, and Shapley values of that sum, the margin, are not the "
        'output\'s: ask with "link": "margin" to have the margin explained, or use a method that asks for values'
    )
    return InvalidParameter(f"{LOC}: {message}.", [{"loc": LOC, "msg": message}])


def of_margin(method: MethodSpec, params: Mapping[str, Any], verdict: Verdict | None) -> bool:
    """Whether a job is about a margin and not the output. Raises InvalidParameter where it would have to be."""
    link = verdict.link if verdict and "trees" in method.asks else None
    if link is not None and params.get("link") != MARGIN:
        raise margin_wanted(link)
    return link is not None
