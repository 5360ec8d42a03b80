"""Schemas of comparisons and their results."""

from __future__ import annotations

from service.openapi.words import FREE, NUMBER_OR_NULL, NUMBERS, TEXT, TEXT_OR_NULL, TRUTH, WHOLE, Schema, array, ref, structure

AGREEMENT = structure(dict.fromkeys(("rank_correlation", "top_overlap", "sign_agreement"), NUMBER_OR_NULL))
PLACE = structure(
    {
        "row": WHOLE,
        "input": TEXT,
        "index": array(WHOLE),
        "feature": TEXT_OR_NULL,
        "values": NUMBERS,
        "shares": NUMBERS,
    }
)
"""Where two variants disagree."""
PAIR = structure(
    {
        "variants": array(WHOLE),
        "labels": array(TEXT),
        "comparable": TRUTH,
        "reason": TEXT_OR_NULL,
        "mean": AGREEMENT,
        "rows": array(AGREEMENT),
        "other_targets": array(WHOLE),
        "worst": array(PLACE),
    }
)
VARIANT = structure(
    {
        **dict.fromkeys(("label", "job", "method", "value_function"), TEXT),
        **dict.fromkeys(("model", "params", "verdicts", "mean", "cost"), FREE),
        "quality": array(ref("Quality")),
    }
)
COMPARISONS: dict[str, Schema] = {
    "Comparison": structure(
        {
            **dict.fromkeys(("id", "status", "tenant"), TEXT),
            "variants": array(structure({"label": TEXT, "job": ref("Job")})),
            "links": structure(dict.fromkeys(("self", "result", "cancel"), TEXT)),
        }
    ),
    "ComparisonResult": structure({"id": TEXT, "top": WHOLE, "variants": array(VARIANT), "pairs": array(PAIR)}),
}
