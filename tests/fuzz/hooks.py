"""Loaded by schemathesis: plants canaries in what it sends, names models that there are, and looks for canaries in answers.

A canary is planted in inputs, keys and headers. Error bodies that hold one are written to the file that EXPLAINERY_FUZZ_FOUND
names; how many answers there were, to that name with `.count`.

Where the service asks for keys, schemathesis shows one of a submitter. EXPLAINERY_FUZZ_KEYS names that and an operator's, which
are canaries then. Some requests show the operator's, some one that was never made; who is let in is looked at here.
"""

from __future__ import annotations

import os
import random
import re
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis.generation.meta import TestPhase

CANARY = "canary7f3a91"
"""What no log and no error body may hold."""
NUMBER = 918273.6450912
"""A canary among numbers."""
KEYS = tuple(os.environ.get("EXPLAINERY_FUZZ_KEYS", "").split())
SAID = re.compile("|".join([CANARY, str(NUMBER), *(re.escape(key.rpartition("_")[2]) for key in KEYS)]))
STRANGER = f"exk_{CANARY:0<12.12}_{CANARY:A<43}"
"""In the form of a key, and none."""
OPEN = ("/healthz", "/readyz", "/", "/docs", "/openapi.json", "/v2/health/live", "/v2/health/ready")
UNREAD = (400, 414, 431)
"""What the server cannot read it refuses before it looks for a key."""
BEARERS = {
    "Authorization": f"Bearer {CANARY}-token",
    "X-Api-Key": f"{CANARY}-key",
}
"""Where nobody is asked: they must be neither looked at nor repeated."""
HEADERS = {
    **({} if KEYS else BEARERS),
    "Cookie": f"session={CANARY}",
    "User-Agent": f"{CANARY}-agent",
    "X-Request-Id": f"{CANARY} id\ttold",
    "Traceparent": f"{CANARY}-trace",
}
SHOWS = "Authorization"
MODELS = ("credit-score", "interaction", "credit-score@1")
FOUND = Path(os.environ["EXPLAINERY_FUZZ_FOUND"])
_draw = random.Random(7)


if KEYS:

    @schemathesis.auth()
    class Submitter:
        """Shows the submitter's key. Schemathesis knows of it, and asks without one, and with wrong ones, too."""

        def get(self, case: Any, context: Any) -> str:
            return KEYS[0]

        def set(self, case: Any, data: str, context: Any) -> None:
            case.headers[SHOWS] = f"Bearer {data}"


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Plant canaries."""
    for name, value in HEADERS.items():
        case.headers.setdefault(name, value)
    if KEYS and case.headers.get(SHOWS) == f"Bearer {KEYS[0]}" and (chance := _draw.random()) < 0.3:
        case.headers[SHOWS] = f"Bearer {STRANGER if chance < 0.03 else KEYS[1]}"
    if case.method == "POST" and _draw.random() < 0.2:
        case.headers["Idempotency-Key"] = f"{CANARY}-{_draw.random()}"
    if isinstance(case.body, dict):
        _plant(case.body)
        if case.meta is not None and case.meta.generation.mode.is_positive and _draw.random() < 0.4:
            _fit(case.body, case.path)
    elif isinstance(case.body, list) and case.body:
        case.body[_draw.randrange(len(case.body))] = _draw.choice([CANARY, NUMBER])
    alone = case.meta is None or case.meta.phase.name is not TestPhase.STATEFUL  # else it follows from the answer before
    for name in case.path_parameters or {}:
        if alone and _draw.random() < 0.1:
            case.path_parameters[name] = f"{CANARY}-{name}"


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Look for canaries in error bodies, and in the headers of every answer."""
    with FOUND.with_suffix(".count").open("a") as count:
        count.write(f"{response.status_code}\n")
    told = [f"{name}: {value}" for name, values in response.headers.items() for value in values]
    if response.status_code >= 400:
        told.append(response.text or "")
    wrong = list(filter(SAID.search, told)) + ([] if _at_the_door(response) else ["a wrong answer at the door"])
    for text in wrong:
        with FOUND.open("a") as found:
            found.write(f"{case.method} {case.path} {response.status_code}: {text}\n")


def _at_the_door(response: Any) -> bool:
    """Whether who has a key was let in, and nobody else was, where keys are asked for."""
    if not KEYS or response.request.path_url.partition("?")[0] in OPEN:
        return True
    shown = response.request.headers.get(SHOWS, "").removeprefix("Bearer ")
    return (response.status_code != 401) if shown in KEYS else response.status_code in (401, *UNREAD)


def _fit(body: dict[str, Any], path: str) -> None:
    """Make it a request that is computed, on rows with a canary in them."""
    row = [NUMBER, 900.0, 4.0, 1.0]
    method = _draw.choice(["exact_shapley", "kernel_shap", "permutation_shapley", "lime", "auto", "integrated_gradients"])
    tensor = {"name": "input", "datatype": "FP32", "shape": [1, 4], "data": row}
    if path == "/v1/backgrounds":
        body |= {"model": "credit-score", "rows": [row, row]}
    elif path.startswith(("/v1/explanations", "/v1/comparisons")) and "model" in body:
        body |= {"model": "credit-score", "method": method, "params": {}, "instances": [row], "inputs": None, "target": None}
        body |= {"baseline": _draw.choice(["card", "zeros", {"background": [row, row]}]), "quality": [], "reasons": None}
        body |= {"budget": None, "deadline_s": None}
        if "variants" in body:
            body["variants"] = [{"method": "exact_shapley", "label": f"{CANARY}-label"}, {"method": "feature_ablation"}]
    elif path.startswith("/v1/models"):
        body.clear()
        body |= {"instances": [row], "parameters": {"method": method} if path.endswith(":explain") else {}}
    elif path.startswith("/v2"):
        body.clear()
        body |= {"id": f"{CANARY}-id", "inputs": [tensor], "parameters": {"method": method}}


def _plant(body: dict[str, Any]) -> None:
    """Where a value is one that a person could have sent, beside what the request needs to get anywhere."""
    for name in ("instances", "inputs", "rows", "data"):
        rows = body.get(name)
        if isinstance(rows, list) and rows:
            rows[_draw.randrange(len(rows))] = _draw.choice(
                [CANARY, NUMBER, {CANARY: NUMBER}, [NUMBER, CANARY, 1, 2], [NUMBER, 1.0, 2.0, 3.0], {"b64": CANARY}]
            )
    for name in ("decision_id", "target", "description"):
        if isinstance(body.get(name), str) and _draw.random() < 0.3:
            body[name] = f"{CANARY}-{name}"
    for name in ("params", "parameters"):
        if isinstance(body.get(name), dict) and _draw.random() < 0.3:
            body[name][_draw.choice(["samples", "tolerance", "features", "anything"])] = _draw.choice([NUMBER, CANARY])
    if isinstance(body.get("model"), str) and _draw.random() < 0.8:
        body["model"] = _draw.choice(MODELS)
