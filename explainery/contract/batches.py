"""Files and batches, in the shapes of OpenAI's API: what a client sends, and what it is shown. Times are Unix seconds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from explainery.contract.frozen import Frozen

ENDPOINT = "/v1/explanations"
"""What a batch's lines are asked of; the only one there is."""
BatchStatus = Literal["validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"]
ENDED: frozenset[str] = frozenset({"failed", "completed", "expired", "cancelled"})
Format = Literal["jsonl", "csv", "parquet"]
Seconds = Annotated[int, Field(ge=60, le=366 * 86400)]


class ExpiresAfter(Frozen):
    """When a file is deleted by itself."""

    anchor: Literal["created_at"]
    seconds: Seconds


class BatchRequest(BaseModel):
    """The body of `POST /v1/batches`. Fields of OpenAI's that mean nothing here are let through."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    input_file_id: Annotated[str, Field(min_length=1, max_length=64)]
    endpoint: Literal["/v1/explanations"]
    completion_window: Annotated[str, Field(min_length=1, max_length=32)] = Field(
        default="24h", description="Time after which what is not done is given up: `24h`, `90m`, `7d`."
    )
    metadata: Annotated[dict[str, Annotated[str, Field(max_length=512)]], Field(max_length=16)] | None = None
    output_expires_after: ExpiresAfter | None = None
    request: dict[str, Any] | None = Field(
        default=None,
        description="Of a table (CSV, Parquet): the fields of JobRequest that all its rows share; `model` at least.",
    )


class FileObject(Frozen):
    """A file. `status` is always "processed": there is nothing to wait for."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int | None = None
    filename: str
    purpose: Literal["batch", "batch_output"]
    status: Literal["processed"] = "processed"
    tenant: str


class Counts(Frozen):
    """Lines of a batch: those in the input, those answered in the output file, those in the error file."""

    total: int = 0
    completed: int = 0
    failed: int = 0


class BatchFault(Frozen):
    """Why a batch failed before it began. `line`: counted from 1."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


class BatchFaults(Frozen):
    """The first faults of an input file."""

    object: Literal["list"] = "list"
    data: list[BatchFault]


class Batch(Frozen):
    """A batch as it is now."""

    id: str
    object: Literal["batch"] = "batch"
    endpoint: str
    errors: BatchFaults | None = None
    input_file_id: str
    completion_window: str
    status: BatchStatus
    output_file_id: str | None = None
    error_file_id: str | None = None
    created_at: int
    in_progress_at: int | None = None
    expires_at: int
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelling_at: int | None = None
    cancelled_at: int | None = None
    request_counts: Counts
    metadata: dict[str, str] | None = None
    tenant: str
