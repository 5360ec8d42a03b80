"""The schema of every error."""

from __future__ import annotations

from service.openapi.words import TEXT, TRUTH, WHOLE, Schema, array, ref, structure

PROBLEM: dict[str, Schema] = {
    "Problem": structure(
        {
            **dict.fromkeys(("type", "title", "detail", "instance", "code", "error"), TEXT),
            "status": WHOLE,
            "retryable": TRUTH,
            "job": TEXT,
            "errors": array(structure({"loc": TEXT, "msg": TEXT})),
            "limit": WHOLE,
            "unit": TEXT,
            "state": TEXT,
            "job_error": {"type": ["object", "null"]},
            "violated-policies": array(TEXT),
            "estimate": ref("Estimate"),
        }
    )
}
