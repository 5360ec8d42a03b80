"""Schemas of files and batches."""

from __future__ import annotations

from service.openapi.words import (
    FILE,
    FREE,
    NUMBER,
    NUMBER_OR_NULL,
    TEXT,
    TEXT_OR_NULL,
    TRUTH,
    WHOLE,
    Schema,
    array,
    choice,
    ref,
    structure,
)

FEATURE = structure(
    {
        "feature": TEXT,
        **dict.fromkeys(("mean_absolute", "mean", "min", "max"), NUMBER),
        "quantiles": {"type": "object", "additionalProperties": NUMBER},
        "direction": {**NUMBER_OR_NULL, "description": "Rank correlation of value and attribution."},
    }
)
GROUP = structure(
    {
        "model": FREE,
        "method": TEXT,
        "target": FREE,
        "input": TEXT,
        "rows": WHOLE,
        "sampled": WHOLE,
        "features": array(FEATURE),
    }
)
"""Rows that may be summed up together."""
SUMMARY = structure(
    {
        "batch_id": TEXT,
        "status": TEXT,
        "complete": TRUTH,
        "rows": WHOLE,
        "left_out": WHOLE,
        "groups": array(GROUP),
    }
)


def page(item: str) -> Schema:
    """A page of a list, as OpenAI has it."""
    return structure(
        {"object": TEXT, "first_id": TEXT_OR_NULL, "last_id": TEXT_OR_NULL, "has_more": TRUTH, "data": array(ref(item))}
    )


BATCHES: dict[str, Schema] = {
    "NewFile": structure({"purpose": choice("batch"), "file": FILE}, "purpose", "file"),
    "FileList": page("FileObject"),
    "DeletedFile": structure({"id": TEXT, "object": TEXT, "deleted": TRUTH}),
    "BatchList": page("Batch"),
    "BatchSummary": SUMMARY,
}
