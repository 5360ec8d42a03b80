"""Whether the service lives and can work, and what it counts."""

from __future__ import annotations

import httpx

from explainery.client.steps import Steps, read


def alive() -> Steps[bool]:
    """Whether the service's process lives."""
    response: httpx.Response = yield read("/healthz", checked=False)
    return response.is_success


def ready() -> Steps[bool]:
    """Whether the service can take jobs: Redis answers and a worker is alive."""
    response: httpx.Response = yield read("/readyz", checked=False)
    return response.is_success


def metrics() -> Steps[str]:
    """What the service counts, in Prometheus' text format."""
    return str((yield read("/metrics")).text)
