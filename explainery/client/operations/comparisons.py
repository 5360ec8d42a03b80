"""Comparisons: the same rows explained in several ways."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from explainery.client.body import rows
from explainery.client.operations import jobs
from explainery.client.operations.paths import path
from explainery.client.steps import Steps, read, write

if TYPE_CHECKING:
    from explainery.client.body import Inputs

_COMPARISONS = "/v1/comparisons"


def compare(
    model: str,
    inputs: Inputs,
    variants: Sequence[Mapping[str, Any]],
    *,
    timeout_s: float | None = None,
    **options: Any,
) -> Steps[dict[str, Any]]:
    """Explain the same rows in several ways, wait, and say how far the answers agree: per pair, with the worst places.

    `variants`: what each has of its own: `method`, `params`, `model`, `baseline`, `label`. `options`: as of `submit`, and
    `top`. Raises ServiceError (409) when a job did not succeed, WaitTimedOut after `timeout_s`.
    """
    made = yield from submit_comparison(model, inputs, variants, **options)
    end = float("inf") if timeout_s is None else time.monotonic() + timeout_s
    for variant in made["variants"]:
        yield from jobs.wait(variant["job"]["id"], None if timeout_s is None else max(0.0, end - time.monotonic()))
    return (yield from comparison_result(made["id"]))


def submit_comparison(
    model: str, inputs: Inputs, variants: Sequence[Mapping[str, Any]], **options: Any
) -> Steps[dict[str, Any]]:
    """Hand in a comparison; its jobs are ordinary ones."""
    body = {"model": model, **rows(inputs), "variants": [dict(variant) for variant in variants], **options}
    return dict((yield write("POST", _COMPARISONS, json=body)).json())


def comparison(comparison_id: str) -> Steps[dict[str, Any]]:
    """A comparison and its jobs as they are now."""
    return dict((yield read(path("v1", "comparisons", comparison_id))).json())


def comparison_result(comparison_id: str) -> Steps[dict[str, Any]]:
    """How far the answers agree. Raises ServiceError (409) before all jobs have succeeded."""
    return dict((yield read(path("v1", "comparisons", comparison_id, "result"))).json())


def cancel_comparison(comparison_id: str) -> Steps[dict[str, Any]]:
    """Cancel those of its jobs that have not ended. Raises ServiceError (409) when all had."""
    return dict((yield write("POST", path("v1", "comparisons", comparison_id, "cancel"))).json())


def forget_comparison(comparison_id: str) -> Steps[None]:
    """Delete a comparison and its jobs for good."""
    yield write("DELETE", path("v1", "comparisons", comparison_id))
