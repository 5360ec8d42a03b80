"""A comparison: the same rows explained in several ways, as a group of ordinary jobs."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from explainery.contract.job import DEFAULT_TENANT, JobRequest, JobState

COMPARISONS = "/v1/comparisons"
MOST_VARIANTS = 8


class Variant(BaseModel):
    """What one way has of its own; the rest is the request's."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    label: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(default=None, description="What to call it.")
    method: str | None = None
    params: dict[str, Any] | None = Field(default=None, description="In place of the request's, which fit its own method only.")
    model: str | None = None
    baseline: str | dict[str, Any] | None = None


class ComparisonRequest(JobRequest):
    """The body of `POST /v1/comparisons`: that of a job, and the ways to explain its rows."""

    variants: Annotated[list[Variant], Field(min_length=2, max_length=MOST_VARIANTS)]
    top: Annotated[int, Field(ge=1, le=1000)] = Field(default=5, description="How many of the largest are held together.")

    def jobs(self) -> list[JobRequest]:
        """The job of each variant."""
        shared = {name: getattr(self, name) for name in JobRequest.model_fields}
        return [JobRequest.model_construct(**{**shared, **_own(variant)}) for variant in self.variants]

    def labels(self) -> list[str]:
        """What each variant is called: by its label, else by what it has of its own."""
        return [variant.label or _label(number, variant) for number, variant in enumerate(self.variants)]


class Comparison(BaseModel):
    """A comparison as it is kept: its jobs in the order of their variants."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    jobs: tuple[str, ...]
    labels: tuple[str, ...]
    top: int
    tenant: str = DEFAULT_TENANT


def status_of(states: list[JobState]) -> str:
    """A comparison's state: running until all its jobs have ended, then succeeded if all have."""
    if not all(state.ended for state in states):
        return "queued" if all(state is JobState.QUEUED for state in states) else "running"
    if all(state is JobState.SUCCEEDED for state in states):
        return "succeeded"
    return "canceled" if all(state in (JobState.CANCELED, JobState.SUCCEEDED) for state in states) else "failed"


def _own(variant: Variant) -> dict[str, Any]:
    own = {name: value for name in ("method", "params", "model", "baseline") if (value := getattr(variant, name)) is not None}
    return {"params": {}, **own} if variant.method is not None else own


def _label(number: int, variant: Variant) -> str:
    baseline = variant.baseline if isinstance(variant.baseline, str) else None
    own = [part for part in (variant.model, variant.method, baseline) if part]
    return ", ".join(own) or f"variant {number}"
