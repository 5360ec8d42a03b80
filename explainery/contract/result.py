"""The result of a job: explanations with their attributions, quality and cost. Arrays travel beside it, see `tensors.py`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from explainery.contract.reasons import Reason

Verdict = Literal["pass", "warn", "fail"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Target(_Frozen):
    """Which number of the output was explained. `index` is None for a model with a single output column.

    `link`: logistic or softmax where the margin was explained that this function makes the output of: attributions,
    `instance_output` and `baseline_output` are the margin's then. None: the output itself.
    """

    output: str
    index: int | None
    label: str | None = None
    link: str | None = None


class Attribution(_Frozen):
    """One input's attribution, without its numbers: they are arrays named in `tensors.py`.

    `shape` is one row of the input, or [number of groups] when feature groups made the players; `features` names the
    entries of the last axis, where they have names. `offsets`: of a text that was given as a string, where each entry begins
    and ends in it, in characters (Unicode code points).
    """

    input: str
    shape: tuple[int, ...]
    datatype: Literal["FP32", "FP64"]
    features: tuple[str, ...] | None = None
    offsets: tuple[tuple[int, int], ...] | None = None
    layer: str | None = None
    """The layer whose output was attributed to; `input` names it, too. None for an input of the model."""


class MapInfo(_Frozen):
    """An array that goes with an explanation or a report, without its numbers: a raw map, attention weights, a picture.

    `axes`: what each axis of `shape` is.
    """

    name: str
    shape: tuple[int, ...]
    datatype: Literal["FP32"] = "FP32"
    axes: tuple[str, ...]
    layer: str | None = None


class Quality(_Frozen):
    """How far to trust one explanation. None where the method does not promise or estimate that figure."""

    completeness_gap: float | None
    """|sum(attributions) - (instance_output - baseline_output)| / max(|instance_output - baseline_output|, 1e-12)."""
    approximation_error: float | None
    """The figure that `tolerance` is compared with."""
    standard_error: float | None
    """The largest standard error of an attribution, in output units (sampling methods)."""
    converged: bool | None
    verdict: Verdict
    notes: tuple[str, ...] = ()
    interval_95_factor: float | None = None
    """An attribution, plus and minus so many of its standard errors, holds the exact value 95 times of 100."""
    checks: dict[str, dict[str, Any]] | None = None
    """What the checks found that the job asked for, by name: figures, a `verdict`, and a `note` in words."""


class Explanation(_Frozen):
    """One row's explanation."""

    target: Target
    instance_output: float
    baseline_output: float
    attributions: tuple[Attribution, ...]
    quality: Quality
    maps: tuple[MapInfo, ...] = ()
    reasons: tuple[Reason, ...] | None = None
    """What spoke against or for the output, in order; None where nobody asked."""


class Cost(_Frozen):
    """What the job cost. `batch_jobs`: how many jobs of its tenant shared its batch.

    `seconds`: on the clock, from when a worker took it. `compute_seconds`: of the worker's time that were this job's, its share
    of calls that jobs shared and its own work between them; None from a worker that does not say.
    """

    model_evaluations: int
    gradient_evaluations: int
    seconds: float
    batch_jobs: int
    compute_seconds: float | None = None


class ModelUsed(_Frozen):
    """The model that answered, and what ran it."""

    name: str
    version: str
    digest: str
    runtime: str


class Result(_Frozen):
    """A job's result, without its arrays."""

    id: str
    model: ModelUsed
    method: str
    params: dict[str, Any]
    seed: int
    value_function: Literal["baseline", "marginal", "conditional"]
    explanations: tuple[Explanation, ...]
    cost: Cost
    environment: dict[str, str | None]
    notes: tuple[str, ...] = ()
    report: dict[str, Any] | None = None
    """What a method found that answers for the job as a whole; there are no `explanations` then."""
    maps: tuple[MapInfo, ...] = ()
    """The arrays that go with the report."""
