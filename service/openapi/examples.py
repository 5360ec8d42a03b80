"""Examples of the API's document: requests to the model of `examples/models`, each with the status that it is answered with.

A test sends each of them to a real service.
"""

from __future__ import annotations

from typing import Any

MODEL = "credit-score"
ROW = [3200, 900, 4, 1]
NAMED = {"income": 3200, "debt": 900, "years employed": 4, "late payments": 1}
TENSOR = {"name": "input", "datatype": "FP32", "shape": [1, 4], "data": ROW}
EXACT = {"model": MODEL, "method": "exact_shapley", "instances": [NAMED]}
SOME_JOB = "01K0000000000000000000000Z"
SOME_FILE = f"file-{SOME_JOB}"

Example = tuple[str, int, Any]
"""What it shows, the status of its answer, the body."""

BODIES: dict[str, dict[str, Example]] = {
    "submit_explanation": {
        "by_name": ("A row by feature names", 202, {**EXACT, "decision_id": "loan-2026-000123", "seed": 7}),
        "tensor": ("A named tensor", 202, {"model": MODEL, "inputs": [TENSOR], "target": None, "baseline": "card"}),
        "background": (
            "Averaged over a background, with a check of its quality",
            202,
            {**EXACT, "baseline": {"background": [[2500, 0, 2, 0], [4100, 1500, 9, 3]]}, "quality": ["infidelity"]},
        ),
        "refused": ("A parameter that the method has not", 422, {**EXACT, "params": {"speed": 3}}),
    },
    "estimate_explanation": {"by_name": ("What the job would cost", 200, EXACT)},
    "submit_comparison": {
        "two_methods": (
            "The same row by two methods",
            202,
            {"model": MODEL, "instances": [ROW], "variants": [{"method": "exact_shapley"}, {"method": "feature_ablation"}]},
        ),
    },
    "refine_explanation": {"more": ("256 samples more for each row", 202, {"samples": 256})},
    "store_background": {
        "rows": ("Two rows", 201, {"model": MODEL, "rows": [[2500, 0, 2, 0], [4100, 1500, 9, 3]]}),
    },
    "create_batch": {
        "lines": (
            "A file of JSON lines",
            200,
            {"input_file_id": SOME_FILE, "endpoint": "/v1/explanations", "metadata": {"month": "march"}},
        ),
    },
    "add_webhook": {
        "ends": ("Told of every end", 201, {"url": "https://hooks.example/explainery", "description": "our own queue"}),
    },
    "rotate_webhook_secret": {
        "week": ("The old secret signs for a week yet", 200, {"grace_s": 604800}),
    },
    "explain_v1": {
        "instances": ("KServe's form", 200, {"instances": [ROW], "parameters": {"method": "exact_shapley"}}),
        "unknown_method": ("A method that there is not", 422, {"instances": [ROW], "parameters": {"method": "no_method"}}),
    },
    "predict_v1": {"instances": ("KServe's form", 200, {"instances": [ROW]})},
    "infer_v2": {
        "explain": ("An explanation", 200, {"id": "42", "inputs": [TENSOR], "parameters": {"method": "exact_shapley"}}),
        "predict": ("The model's answer", 200, {"inputs": [TENSOR]}),
    },
    "explain_torchserve": {"row": ("A row", 200, ROW)},
}
"""Operation -> name -> example of its body."""

PATHS: dict[str, str] = {
    "job_id": SOME_JOB,
    "comparison_id": SOME_JOB,
    "file_id": SOME_FILE,
    "batch_id": f"batch_{SOME_JOB}",
    "kind": "waterfall",
    "form": "svg",
    "version": "1",
}
"""Parameter of a path -> example."""


def body_examples(operation: str) -> dict[str, Any]:
    """The examples of an operation's body as the document has them."""
    found = BODIES.get(operation, {})
    return {name: {"summary": text, "x-status": status, "value": value} for name, (text, status, value) in found.items()}


def path_example(operation: str, parameter: str) -> str | None:
    """An example of a parameter of the path."""
    if parameter == "name":
        return "exact_shapley" if operation == "get_method" else MODEL
    return PATHS.get(parameter)
