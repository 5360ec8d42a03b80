"""Parts of requests that operations share."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import quote

from explainery.contract.job import Job

JOBS = "/v1/explanations"


def path(*parts: str) -> str:
    """A path whose parts may hold anything."""
    return "/" + "/".join(quote(part, safe="@:") for part in parts)


def job_path(job: Job | str, *more: str) -> str:
    """The path of a job, or of something of it."""
    return path("v1", "explanations", job if isinstance(job, str) else job.id, *more)


def given(**fields: Any) -> dict[str, Any]:
    """Those of the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def prefer(wait_s: float) -> dict[str, str]:
    """The header that says how long to wait."""
    return {"Prefer": f"wait={whole_seconds(wait_s)}" if wait_s > 0 else "respond-async"}


def whole_seconds(seconds: float) -> int:
    """What `Prefer: wait` takes."""
    return max(1, math.ceil(seconds))


def quoted(key: str) -> str:
    """A string as headers write it (RFC 9651)."""
    return '"' + key.replace("\\", r"\\").replace('"', r"\"") + '"'
