"""Whether this process lives, whether the service can work, what it counts, and its documentation page."""

from __future__ import annotations

from pathlib import Path

from apiflask import APIBlueprint
from flask import Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from explainery.contract.errors import NoWorker
from service.answers import json_answer
from service.openapi.answers import answers
from service.parts import parts

blueprint = APIBlueprint("health", __name__, tag="health")

DOCS_POLICY = "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"
"""The page brings everything with it and may load nothing from elsewhere."""


@blueprint.get("/healthz")
@blueprint.doc(operation_id="get_health", responses=answers("Health", {200: "This process lives."}))
def health() -> Response:
    """Say that this process lives."""
    return json_answer({"status": "alive"})


@blueprint.get("/readyz")
@blueprint.doc(operation_id="get_readiness", responses=answers("Health", {200: "Redis answers and a worker is alive."}))
def ready() -> Response:
    """Say whether jobs can be worked on: Redis answers and a worker is alive. Otherwise 503 says what is missing."""
    workers = parts().catalogue.workers()
    if not workers:
        raise NoWorker("No worker is alive; start one with: explainery worker")
    return json_answer({"status": "ready", "workers": len(workers)})


@blueprint.get("/metrics")
@blueprint.doc(operation_id="get_metrics", responses=answers(None, {200: "Metrics as text."}))
def metrics() -> Response:
    """Give metrics in Prometheus' text format."""
    return Response(parts().metrics.render(), content_type=CONTENT_TYPE_PLAIN_0_0_4)


@blueprint.get("/docs")
@blueprint.doc(hide=True)
def docs() -> Response:
    """Show the API's documentation, rendered from /openapi.json by a page that needs nothing else."""
    page = (Path(__file__).parent.parent / "docs.html").read_bytes()
    return Response(page, content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": DOCS_POLICY})
