"""A job: what a client asks, what was admitted, what its record says, and the one table of states."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from explainery.contract.estimate import Estimate
from explainery.contract.reasons import ReasonsAsked

Priority = Literal["interactive", "batch"]
Target = int | Literal["predicted"] | None
"""What of a row's output is explained; None for a model with a single output column."""

FORM = 1
"""The newest form of a job's record that this code reads and writes; what has a newer form is left to newer workers."""
DEFAULT_TENANT = "default"
"""Whose job it is when nobody says."""
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def is_tenant(name: str) -> bool:
    """Say whether `name` may name a tenant: letters, digits, `.`, `_`, `-`; at most 64."""
    return bool(_TENANT.fullmatch(name))


class JobState(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"

    @property
    def ended(self) -> bool:
        """Whether no transition leads out of this state."""
        return not TRANSITIONS[self]


TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.SUCCEEDED, JobState.CANCELED, JobState.EXPIRED, JobState.FAILED}),
    JobState.RUNNING: frozenset({JobState.QUEUED, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED, JobState.EXPIRED}),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELED: frozenset(),
    JobState.EXPIRED: frozenset(),
}
"""The one table of allowed transitions.

RUNNING -> QUEUED when a lease ran out or was given back, or a failure may pass by itself; QUEUED -> SUCCEEDED when another job
that asks the same has the answer; QUEUED -> FAILED when that one failed, or the model is in quarantine.
"""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class TensorIn(_Strict):
    """A named tensor as the Open Inference Protocol writes it; `data` is flat or nested."""

    name: str
    datatype: str
    shape: list[int]
    data: Any


class CheckIn(BaseModel):
    """A quality check by name, with its own parameters beside it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow")

    check: str


class JobRequest(_Strict):
    """The body of `POST /v1/explanations`. What the values mean for a given model is checked by admission."""

    model: str = Field(description="`name` or `name@version`; the newest version when none is given.")
    method: str = Field(default="auto", description='A name from `/v1/methods`, or "auto".')
    params: dict[str, Any] = {}
    inputs: list[TensorIn] | None = Field(default=None, description="Named tensors; the leading dimension is the row count.")
    instances: list[Any] | None = Field(
        default=None, description="Rows: each a value for a one-input model, or an object keyed by input or feature name."
    )
    target: int | str | list[int | str | None] | None = Field(
        default="predicted", description='"predicted", an output index, a label, or one of these per row.'
    )
    baseline: str | dict[str, Any] = Field(
        default="card",
        description='"zeros", "mean", "blur", "card", {"value": x}, {"tensor": ...} or {"background": [rows]}, '
        'the last perhaps with "conditional": {"neighbours": k} or "summarise": k beside it.',
    )
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    decision_id: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    deadline_s: Annotated[float, Field(gt=0, le=366 * 86400, allow_inf_nan=False)] | None = None
    budget: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Evaluations of the model that the whole job may cost; methods that sample stop there."
    )
    reasons: ReasonsAsked | None = Field(default=None, description="Give each row's principal reasons, by the card's codes.")
    priority: Priority = "interactive"
    quality: list[str | CheckIn] = Field(
        default=[], description='Checks of each explanation: names from `/v1/quality-checks`, or {"check": name, ...}.'
    )
    fresh: bool = Field(default=False, description="Compute it anew, although the same was asked before.")


class RefineRequest(_Strict):
    """The body of `POST /v1/explanations/{id}/refine`: what the new job may do beyond the one that it goes on from."""

    samples: Annotated[int, Field(ge=0)] = Field(default=0, description="Samples that each row may take in addition.")
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        default=None, description="Stop at this error figure; not given: as before. 0: use all samples."
    )
    budget: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Model evaluations that this may cost.")
    deadline_s: Annotated[float, Field(gt=0, le=366 * 86400, allow_inf_nan=False)] | None = None
    priority: Priority = "interactive"
    decision_id: Annotated[str, Field(min_length=1, max_length=256)] | None = None


class BackgroundRequest(_Strict):
    """The body of `POST /v1/backgrounds`."""

    model: str = Field(description="The model whose inputs the rows are of: `name` or `name@version`.")
    rows: list[Any] | dict[str, list[Any]] = Field(description="Rows as `instances` has them, or a list of rows by input.")


class ModelRef(BaseModel):
    """Exactly which model: name, version and the digest over its files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str
    digest: str


ValueFunction = Literal["baseline", "marginal", "conditional"]
BaselineKind = Literal["zeros", "mean", "blur", "card", "value", "tensor", "background"]


class Baseline(BaseModel):
    """What stands in for an absent feature. Arrays of "tensor" and "background" travel with the inputs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: BaselineKind
    value: float | None = None
    neighbours: int | None = None
    """Of a background: how many rows stand for absent features, those nearest in the present ones; None: all."""
    summarise: int | None = None
    """Of a background: how many weighted centroids stand for it; None: its rows do."""

    @property
    def value_function(self) -> ValueFunction:
        """Name of the value function: "marginal" or "conditional" over a background set, else "baseline"."""
        if self.kind != "background":
            return "baseline"
        return "marginal" if self.neighbours is None else "conditional"


class CheckOrder(BaseModel):
    """A quality check that was asked for, with its complete parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str
    params: dict[str, Any]


class JobSpec(BaseModel):
    """An admitted job: everything a worker needs but the arrays. Stored as JSON under the job's id.

    The arrays travel beside it as safetensors bytes with these names: `input/<name>` (rows first), `baseline/<name>` (one row,
    or one per row) and `background/<name>` (rows first); an encoded input (an image file) is `encoded/<name>/<row>`, bytes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORM
    """Version of this record's form; a worker leaves forms it does not know to newer ones."""
    id: str
    model: ModelRef
    method: str
    method_requested: str
    method_reason: str | None = None
    """Why `auto` chose `method`."""
    params: dict[str, Any]
    rows: int
    target: tuple[Target, ...]
    """One per row: "predicted", an index, or None for a model with a single output column."""
    baseline: Baseline
    encodings: dict[str, str] = {}
    """Input name -> media type, for inputs that the worker decodes."""
    seed: int
    decision_id: str | None = None
    deadline_s: float | None = None
    budget: int | None = None
    """Evaluations of the model that the whole job may cost."""
    reasons: ReasonsAsked | None = None
    refines: str | None = None
    """The job whose answers this one goes on from: they travel with the inputs, as `known/...`."""
    priority: Priority = "interactive"
    request_id: str | None = None
    tenant: str = DEFAULT_TENANT
    estimate: Estimate | None = None
    """What it was expected to cost when it entered."""
    quality: tuple[CheckOrder, ...] = ()
    effort: int = 1
    """About how many evaluations the job takes: what its cost is estimated from."""
    content: str | None = None
    """What is asked, as a digest; jobs of one content have one answer. None when it is not to be shared."""

    @property
    def group(self) -> str:
        """Jobs of one group may share a batch: same model, same version, same files, records of a form that can be read."""
        return group_of(self.model, self.format)


def group_of(model: ModelRef, form: int = FORM) -> str:
    """The group of a model's jobs. The form ends it, where it is not the first: `scripts/claim.lua` reads it."""
    group = f"{model.name}@{model.version}:{model.digest.removeprefix('sha256:')[:16]}"
    return group if form == 1 else f"{group}#{form}"


class Progress(BaseModel):
    """How far a job is, in calls of the model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    done: int
    total: int
    unit: Literal["model_evaluations", "gradient_evaluations"]


class JobError(BaseModel):
    """Why a job failed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    detail: str
    retryable: bool


class Quarantine(BaseModel):
    """What is known of a job that workers died of. `losses`: how many did; `last_chunk`: what the last one was at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: str
    losses: int
    last_exit: str | None
    last_chunk: str | None


class Job(BaseModel):
    """A job as its record says it. Times are RFC 3339 UTC; `revision` rises with every change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    status: JobState
    model: ModelRef
    method: str
    method_requested: str
    method_reason: str | None
    rows: int
    seed: int
    decision_id: str | None
    priority: Priority
    progress: Progress | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    deadline_at: str | None
    cancel_at: str | None = None
    """When it is canceled if it has not ended: `Cancel-After`."""
    attempts: int
    error: JobError | None
    tenant: str = DEFAULT_TENANT
    estimate: Estimate | None = None
    """What the job was expected to cost when it entered."""
    refines: str | None = None
    """The job whose answers this one goes on from."""
    dedupe_of: str | None = None
    """The job whose answer this one shares, because it asked the same."""
    quarantine: Quarantine | None = None
    revision: int
