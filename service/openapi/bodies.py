"""The body that each operation takes, with examples."""

from __future__ import annotations

from typing import Any

from service.openapi.examples import body_examples
from service.openapi.words import ref

JSON, FORM = "application/json", "multipart/form-data"

BODIES = {
    "add_webhook": (JSON, "WebhookRequest"),
    "rotate_webhook_secret": (JSON, "RotateRequest"),
    "upload_file": (FORM, "NewFile"),
    "create_batch": (JSON, "BatchRequest"),
    "submit_explanation": (JSON, "JobRequest"),
    "estimate_explanation": (JSON, "JobRequest"),
    "submit_comparison": (JSON, "ComparisonRequest"),
    "refine_explanation": (JSON, "RefineRequest"),
    "store_background": (JSON, "BackgroundRequest"),
    "add_model": (FORM, "NewModel"),
    "explain_v1": (JSON, "V1Request"),
    "predict_v1": (JSON, "V1Request"),
    "infer_v2": (JSON, "V2Request"),
    "explain_torchserve": (JSON, "TorchServeRow"),
}
"""Operation -> media type and schema of its body."""


def body_of(operation: str) -> dict[str, Any] | None:
    """The body of an operation as the document has it; None for one that takes none."""
    if operation not in BODIES:
        return None
    media_type, schema = BODIES[operation]
    examples = body_examples(operation)
    content = {"schema": ref(schema)} | ({"examples": examples} if examples else {})
    return {"required": True, "content": {media_type: content}}
