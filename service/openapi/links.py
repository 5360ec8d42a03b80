"""What one can go on with: OpenAPI's links, from an answer that names a thing to the operations on it."""

from __future__ import annotations

from typing import Any

OF_A_JOB = (
    "get_explanation", "cancel_explanation", "forget_explanation", "get_result", "get_partial", "refine_explanation",
    "get_figure", "stream_explanation_events",
)  # fmt: skip
OF_A_COMPARISON = ("get_comparison", "get_comparison_result", "cancel_comparison", "forget_comparison")
OF_A_BACKGROUND = ("get_background", "forget_background")
OF_A_FILE = ("get_file", "get_file_content", "delete_file")
OF_A_BATCH = ("get_batch", "cancel_batch", "summarise_batch")
OF_A_WEBHOOK = ("get_webhook", "remove_webhook", "list_deliveries", "ping_webhook")

LINKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "submit_explanation": ("job_id", OF_A_JOB),
    "refine_explanation": ("job_id", OF_A_JOB),
    "submit_comparison": ("comparison_id", OF_A_COMPARISON),
    "store_background": ("background_id", OF_A_BACKGROUND),
    "upload_file": ("file_id", OF_A_FILE),
    "create_batch": ("batch_id", OF_A_BATCH),
    "add_webhook": ("webhook_id", OF_A_WEBHOOK),
}
"""Operation -> the parameter that the `id` of its answer is, and the operations that take it."""


def links_of(operation: str) -> dict[str, Any]:
    """The links of an operation's good answers."""
    if operation not in LINKS:
        return {}
    parameter, targets = LINKS[operation]
    more = {"get_figure": {"kind": "auto", "form": "json"}}
    return {
        target: {"operationId": target, "parameters": {parameter: "$response.body#/id", **more.get(target, {})}}
        for target in targets
    }
