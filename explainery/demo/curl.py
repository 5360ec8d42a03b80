"""The same question as a line for the shell."""

from __future__ import annotations

import json
import shlex

from explainery.demo.answers import Told


def line(url: str, told: Told) -> str:
    """A `curl` line that explains the first row and waits for the end; it answers the job, with the result's address."""
    body = {
        "model": told.name,
        "method": told.answers[0].asked.method,
        "instances": [[float(f"{value:.6g}") for value in told.rows[0].reshape(-1)]],
        "baseline": "card",
    }
    headers = '-H "Content-Type: application/json" -H "Prefer: wait=20"'
    return f"curl -sS {headers} {url}/v1/explanations -d {shlex.quote(json.dumps(body))}"
