"""The client that awaits: `client.py`, with `await`."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from explainery.client.async_transport import AsyncTransport
from explainery.client.credentials import headers_of
from explainery.client.operations.every import Operations


class AsyncClient(Operations):
    """A client of one service, for asyncio. Close it, or use it in an `async with` block. Else as `Client` is."""

    _awaits = True

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8080",
        *,
        api_key: str | None = None,
        timeout_s: float = 30.0,
        retries: int = 4,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.transport = AsyncTransport(base_url, timeout_s, retries, headers_of(api_key, headers))

    async def close(self) -> None:
        """Close the connections."""
        await self.transport.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
