"""The protocols of other platforms, for trying them out: bodies go and come as those platforms write them.

Their own clients do this, too; see docs/migrating.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from explainery.client.operations.paths import given, path
from explainery.client.steps import Steps, read, write

_LIMIT_S = 60.0
"""How much longer than usual a synchronous answer may take: the service waits 50 s unless it is set otherwise."""


def explain_v1(model: str, body: Mapping[str, Any]) -> Steps[dict[str, Any]]:
    """Explain rows by KServe's protocol V1, which Vertex AI speaks: `{"instances": [...], "parameters": {...}}`."""
    return dict((yield write("POST", path("v1", "models", f"{model}:explain"), wait_s=_LIMIT_S, json=dict(body))).json())


def predict_v1(model: str, body: Mapping[str, Any]) -> Steps[dict[str, Any]]:
    """The model's answers by KServe's protocol V1."""
    return dict((yield write("POST", path("v1", "models", f"{model}:predict"), wait_s=_LIMIT_S, json=dict(body))).json())


def alive_v1() -> Steps[dict[str, Any]]:
    """That the service lives, in the words of KServe's protocol V1."""
    return dict((yield read("/")).json())


def server_v2() -> Steps[dict[str, Any]]:
    """Who serves, by the Open Inference Protocol, and which of its extensions."""
    return dict((yield read("/v2")).json())


def live_v2() -> Steps[dict[str, Any]]:
    """Whether the service lives and is ready, by the Open Inference Protocol."""
    return dict((yield read("/v2/health/live")).json())


def ready_v2() -> Steps[bool]:
    """Whether jobs can be worked on, by the Open Inference Protocol."""
    response: httpx.Response = yield read("/v2/health/ready", checked=False)
    return response.is_success


def model_v2(model: str, *, version: str | None = None) -> Steps[dict[str, Any]]:
    """A model's tensors, by the Open Inference Protocol; `<model>.explain` has those of an explanation."""
    return dict((yield read(_v2(model, version))).json())


def model_ready_v2(model: str, *, version: str | None = None) -> Steps[bool]:
    """Whether a model is ready, by the Open Inference Protocol."""
    response: httpx.Response = yield read(_v2(model, version, "ready"), checked=False)
    return response.is_success


def infer_v2(model: str, body: Mapping[str, Any], *, version: str | None = None) -> Steps[dict[str, Any]]:
    """The model's answers, or explanations, by the Open Inference Protocol: `{"inputs": [...], "parameters": {...}}`."""
    return dict((yield write("POST", _v2(model, version, "infer"), wait_s=_LIMIT_S, json=dict(body))).json())


def explain_torchserve(
    model: str, row: Any, *, version: str | None = None, put: bool = False, **query: str | int
) -> Steps[Any]:
    """Explain a row as TorchServe does; `query`: `method` and its parameters. `put`: send PUT, as `curl -T` does."""
    address = path("explanations", model, *([] if version is None else [version]))
    verb = "PUT" if put else "POST"
    return (yield write(verb, address, wait_s=_LIMIT_S, json=row, params=given(**query))).json()


def _v2(model: str, version: str | None, *more: str) -> str:
    return path("v2", "models", model, *([] if version is None else ["versions", version]), *more)
