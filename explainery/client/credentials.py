"""Who a client says it is."""

from __future__ import annotations

from collections.abc import Mapping

from explainery.settings import text


def headers_of(api_key: str | None, headers: Mapping[str, str] | None) -> dict[str, str]:
    """The headers of every request. `api_key`: None is what EXPLAINERY_API_KEY, or the file it names, says."""
    key = text("api_key") if api_key is None else api_key
    return {**({"Authorization": f"Bearer {key}"} if key else {}), **(headers or {})}
