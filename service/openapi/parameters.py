"""What each operation takes beside its path and its body: headers, and the query."""

from __future__ import annotations

from typing import Any

from explainery.contract.job import JobState
from service.openapi.words import TEXT, Schema, choice, text, whole

Parameter = dict[str, Any]


def header(name: str, schema: Schema, description: str) -> Parameter:
    """A header."""
    return {"name": name, "in": "header", "schema": schema, "description": description}


def query(name: str, schema: Schema, description: str | None = None) -> Parameter:
    """A parameter of the query."""
    said = {} if description is None else {"description": description}
    return {"name": name, "in": "query", "schema": schema, **said}


PREFER = header(
    "Prefer",
    TEXT,
    "`wait=N`: hold the answer until the job has ended, at most N seconds. `respond-async`: answer at once.",
)
SYNC_PREFER = header(
    "Prefer",
    TEXT,
    "`respond-async`: answer 202 and the job. `wait=N`: wait at most N seconds. Else wait for the answer.",
)
IDEMPOTENCY_KEY = header(
    "Idempotency-Key",
    {"type": "string", "pattern": r'^([!#-+\--:<-\[\]-~]{1,255}|"([ !#-\[\]-~]|\\["\\]){1,255}")$'},
    "One string. The same key and the same request again: the first job, for 24 hours. Another one: 422.",
)
CANCEL_AFTER = header(
    "Cancel-After",
    {"type": "string", "pattern": r"^(\d{1,6}[hH])?(\d{1,8}[mM])?(\d{1,9}(\.\d{1,3})?[sS]?)?$", "minLength": 1},
    "Seconds, or like `90s`, `5m`, `1h30m`: the job is canceled unless it has ended by then.",
)
IF_NONE_MATCH = header("If-None-Match", TEXT, "The ETag of the job as it is known.")
LAST_EVENT_ID = header(
    "Last-Event-ID",
    {"type": "string", "pattern": r"^\d{1,19}-\d{1,19}$"},
    "The `id` of the last event that came: go on behind it.",
)
AFTER = query("after", TEXT, "The last id of the page before.")

MAKES_A_JOB = (PREFER, IDEMPOTENCY_KEY, CANCEL_AFTER)
ANSWERS_AT_ONCE = (SYNC_PREFER, IDEMPOTENCY_KEY, CANCEL_AFTER)

PARAMETERS: dict[str, tuple[Parameter, ...]] = {
    "submit_explanation": MAKES_A_JOB,
    "refine_explanation": MAKES_A_JOB,
    "submit_comparison": (PREFER,),
    "get_comparison": (PREFER,),
    "get_explanation": (PREFER, IF_NONE_MATCH),
    "get_figure": (
        query("row", whole(0, default=0)),
        query("input", text(1, 256), "Of a model with several inputs."),
        query("layer", text(1, 512), "Of a method that looks at several layers."),
        query("head", whole(0), "Of attention: one head."),
    ),
    "stream_explanation_events": (LAST_EVENT_ID,),
    "stream_events": (LAST_EVENT_ID,),
    "list_deliveries": (query("limit", whole(1, 1000, 100)),),
    "list_files": (
        AFTER,
        query("limit", whole(1, 10000, 100)),
        query("purpose", choice("batch", "batch_output")),
        query("order", choice("asc", "desc", default="desc")),
    ),
    "get_file_content": (
        header("Range", TEXT, "Some of the bytes: `bytes=0-999`, `1000-`, `-500`."),
        header("If-Range", TEXT, "The ETag of what the client has some of."),
    ),
    "create_batch": (IDEMPOTENCY_KEY,),
    "list_batches": (AFTER, query("limit", whole(1, 100, 20))),
    "list_explanations": (
        query("status", choice(*(state.value for state in JobState))),
        query("model", text(1, 128)),
        query("decision_id", text(1, 256)),
        query("cursor", text(0, 64), "From the page before."),
        query("limit", whole(1, 500, 50)),
    ),
    "explain_v1": ANSWERS_AT_ONCE,
    "predict_v1": ANSWERS_AT_ONCE,
    "infer_v2": ANSWERS_AT_ONCE,
    "explain_torchserve": ANSWERS_AT_ONCE,
}
"""Operation -> its parameters."""
