"""Schemas of what is said of jobs beside the job and its result: estimates, pages, running estimates, figures, backgrounds."""

from __future__ import annotations

from service.openapi.words import FREE, TEXT, TEXT_OR_NULL, WHOLE, Schema, array, ref, structure

JOBS: dict[str, Schema] = {
    "Estimated": structure(
        {
            "model": ref("ModelRef"),
            "method": TEXT,
            "params": FREE,
            "rows": WHOLE,
            "estimate": ref("Estimate"),
            "over_budget": TEXT_OR_NULL,
        }
    ),
    "JobPage": structure({"jobs": array(ref("Job")), "cursor": TEXT_OR_NULL}),
    "Partial": structure(
        {
            **dict.fromkeys(("id", "method", "value_function"), TEXT),
            "params": FREE,
            **dict.fromkeys(("row", "rows_done", "evaluations"), WHOLE),
            "explanation": ref("Explanation"),
            "notes": array(TEXT),
        }
    ),
    "Figure": structure(
        {
            **dict.fromkeys(("kind", "title", "reading", "html"), TEXT),
            "notes": array(TEXT),
            "table": structure({"columns": array(TEXT), "rows": array(array({}))}),
            "spec": {"type": "object", "description": "A Vega-Lite 5 spec that needs nothing from elsewhere."},
        }
    ),
    "Background": structure({"id": TEXT, "rows": WHOLE, "shapes": FREE}),
    "BackgroundList": structure({"backgrounds": array(TEXT)}),
}
