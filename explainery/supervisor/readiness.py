"""Whether the API says that the service is ready."""

from __future__ import annotations

import httpx

_TIMEOUT_S = 1.0


def is_ready(base_url: str) -> bool:
    """Ask `/readyz` once. A service that does not answer is not ready."""
    try:
        # trust_env: a proxy of the environment has no business on loopback
        return httpx.get(f"{base_url}/readyz", timeout=_TIMEOUT_S, trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def answers_redis(url: str) -> bool:
    """Whether Redis answers a PING (not while it is still loading its data)."""
    from explainery.store.connection import trouble

    return trouble(url, _TIMEOUT_S) is None
