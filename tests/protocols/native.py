"""The native route, by the standard library alone: what the stock clients' answers are compared with."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

ROWS = [[30.0, 0.0, 1.0, 2.5], [45.0, 1.0, 0.0, -1.0]]
ASKED = {"method": "kernel_shap", "samples": 300, "seed": 7}


def native(url: str, model: str = "table") -> list[dict[str, Any]]:
    """The explanations."""
    body = {"model": model, "method": "kernel_shap", "params": {"samples": 300}, "seed": 7, "instances": ROWS}
    headers = {"Content-Type": "application/json", "Prefer": "wait=30"}
    request = urllib.request.Request(f"{url}/v1/explanations", json.dumps(body).encode(), headers)  # noqa: S310  ours
    with urllib.request.urlopen(request) as answer:  # noqa: S310  ours
        job = json.load(answer)
    assert job["status"] == "succeeded", job
    with urllib.request.urlopen(url + job["links"]["result"]) as answer:  # noqa: S310  ours
        return list(json.load(answer)["explanations"])


def attributions(explanations: list[dict[str, Any]]) -> list[list[float]]:
    return [row["attributions"][0]["data"] for row in explanations]
